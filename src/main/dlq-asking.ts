/** What people do with dead letters asks of handlers: their checks, and whether an effect stands (R18). */
import { type AskedEffect, askEffect } from '../application/delivery/ask-effect.js';
import { createPayloadRedactor } from '../application/delivery/dead-letters/redacted-payload.js';
import { createEffectFinder } from '../application/delivery/find-effect.js';
import type { EventRedaction } from '../application/delivery/mappers/redact-payload.js';
import type { Handler, Logger, RunRef } from '../application/delivery/ports.js';
import { createHttpClient } from '../infrastructure/http/create-http-client.js';
import { createAttemptStore } from '../infrastructure/prisma/attempt-store.js';
import { createDeadLetterActions } from '../infrastructure/prisma/dead-letter-actions.js';
import { createDeadLetterReader } from '../infrastructure/prisma/dead-letter-reader.js';
import { createEffectStore } from '../infrastructure/prisma/effect-store.js';
import { createLetterKinds } from '../infrastructure/prisma/letter-kinds.js';
import type { PgPool } from '../infrastructure/prisma/pg-pool.js';
import { createRedriveJobStore } from '../infrastructure/prisma/redrive-job-store.js';

export interface Asking {
  readonly handlers: readonly Handler[];
  ask(run: RunRef, how?: { readonly settle: boolean }): Promise<AskedEffect>;
  close(): Promise<void>;
}

/** `close` ends what is under way. */
export function openAsking(pool: PgPool, handlers: readonly Handler[], log: Logger): Asking {
  const http = createHttpClient();
  const closing = new AbortController();
  const deps = {
    effects: createEffectStore(pool),
    attempts: createAttemptStore(pool),
    finder: createEffectFinder({ handlers, http, log }),
    log,
  };
  return {
    handlers,
    ask: (run, how) => askEffect(deps, run, { signal: closing.signal, ...how }),
    async close() {
      closing.abort();
      await http.close();
    },
  };
}

/**
 * All that the operations API works on, of dead letters; `close` leaves the pools open. `reading`: whatever is looked at and
 * counted goes by this pool, so that it keeps nobody from acting.
 */
export function openDeadLetterOps(
  pool: PgPool,
  handlers: readonly Handler[],
  log: Logger,
  redaction: EventRedaction = {},
  reading: PgPool = pool,
) {
  const { count, list, show } = createRedriveJobStore(reading);
  const stores = {
    letters: createDeadLetterReader(reading),
    kinds: createLetterKinds(reading),
    payloads: createDeadLetterActions(reading),
    redactPayload: createPayloadRedactor(redaction),
    actions: createDeadLetterActions(pool),
    jobs: { ...createRedriveJobStore(pool), count, list, show },
  };
  return { ...stores, ...openAsking(pool, handlers, log) };
}
