import { connectionsExhausted, immediateRestarts, postgresAway } from './postgres-outages.mjs';
import { temporalKilled, temporalLost } from './temporal-outages.mjs';

/** What needs servers of the run's own, in the order of the table of faults. */
export const SERVER_FAULTS = [immediateRestarts, postgresAway, connectionsExhausted, temporalKilled, temporalLost];
