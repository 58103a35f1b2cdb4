/** The faults that need no servers of the run's own; what restarts and loses servers is the caller's (`npm run chaos`). */
import type { Fault } from '../ports.js';
import { editedAuditLog } from './audit-edits.js';
import { mixedWorkers, shiftedClocks } from './clocks.js';
import { badNetwork, halfPerCent, lostResponse } from './network.js';
import { deafChannels } from './notice-channels.js';
import { finalRefusal, oddSuccess } from './odd-answers.js';
import { failingDestination } from './outage.js';
import { poisonRows } from './poison.js';
import { killedAtEachStep, killedRelay, stoppedRelay } from './relays.js';
import { relaysAtOnce } from './relays-at-once.js';
import { rateLimited } from './retry-after.js';
import { rollingRestart } from './rolling.js';
import { sameAtOnce } from './same-start.js';
import { lateCommit, terminatedBackends } from './sessions.js';
import { unwrittenLetters } from './unwritten-letters.js';
import { killedApi, killedWorker } from './workers.js';

export const STAGING_FAULTS: readonly Fault[] = [
  killedRelay,
  killedAtEachStep,
  killedWorker,
  killedApi,
  stoppedRelay,
  rollingRestart,
  terminatedBackends,
  lateCommit,
  relaysAtOnce,
  badNetwork,
  lostResponse,
  failingDestination,
  rateLimited,
  finalRefusal,
  oddSuccess,
  poisonRows,
  sameAtOnce,
  shiftedClocks,
  mixedWorkers,
  deafChannels,
  unwrittenLetters,
  halfPerCent,
  editedAuditLog,
];
