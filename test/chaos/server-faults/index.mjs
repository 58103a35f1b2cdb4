import { diskFull, heldSnapshot, longBacklog } from './loads.mjs';
import { connectionsExhausted, immediateRestarts, postgresAway } from './postgres-outages.mjs';
import { temporalKilled, temporalLost } from './temporal-outages.mjs';

/** What needs servers of the run's own, in the order of the table of faults; F27 is made by `longBacklog`, as long as is asked for. */
export const SERVER_FAULTS = [
  immediateRestarts,
  postgresAway,
  connectionsExhausted,
  diskFull,
  heldSnapshot,
  temporalKilled,
  temporalLost,
];

export { longBacklog };
