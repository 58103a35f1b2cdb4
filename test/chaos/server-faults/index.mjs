import { diskFull, heldSnapshot, longBacklog } from './loads.mjs';
import { connectionsExhausted, immediateRestarts, postgresAway } from './postgres-outages.mjs';
import { temporalKilled, temporalLost } from './temporal-outages.mjs';

const { CHAOS_BACKLOG: backlog = '' } = process.env;

/** What needs servers of the run's own, in the order of the table of faults. CHAOS_BACKLOG: the events of F27. */
export const SERVER_FAULTS = [
  immediateRestarts,
  postgresAway,
  connectionsExhausted,
  diskFull,
  heldSnapshot,
  temporalKilled,
  temporalLost,
  longBacklog(backlog === '' ? {} : { events: Number(backlog) }),
];
