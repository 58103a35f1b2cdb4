/** `outbox events show`: one event with its whole way, on the outbox database. */
import { type ShownEvent, showEvent } from '../application/delivery/events/show-event.js';
import { findTemporalUi } from '../application/delivery/find-temporal-ui.js';
import { MOST_OF_EVENT } from '../contract/events-api.js';
import { loadSettings, requireSetting } from '../infrastructure/config/load-settings.js';
import { processEnvironment } from '../infrastructure/config/process-environment.js';
import type { Settings } from '../infrastructure/config/settings.js';
import { createDeploymentStore } from '../infrastructure/prisma/deployment-store.js';
import { createEventReader } from '../infrastructure/prisma/event-reader.js';
import { createPool, type PgPool } from '../infrastructure/prisma/pg-pool.js';
import { createProcessStore } from '../infrastructure/prisma/process-store.js';
import { explainingDatabase } from './explain-database.js';
import { complain, print } from './terminal.js';

/** `id`: of the event, or of a dead letter of it. */
export async function runShowEvent(
  id: string,
  options: { readonly payload?: boolean; readonly json?: boolean },
): Promise<number> {
  const settings = loadSettings(processEnvironment(), ['events']);
  const pool = createPool(requireSetting(settings.databaseUrl, 'OUTBOX_DATABASE_URL'), { max: 1 });
  try {
    return await explainingDatabase('outbox', () => show(pool, settings, id, options));
  } finally {
    await pool.end();
  }
}

async function show(
  pool: PgPool,
  settings: Settings,
  id: string,
  { payload: wanted, json }: { readonly payload?: boolean; readonly json?: boolean },
): Promise<number> {
  const reader = createEventReader(pool);
  // What stands in workflow ids is the stored name, whatever the settings of this terminal say.
  const deployment = (await createDeploymentStore(pool).readName()) ?? settings.deployment;
  const temporalUi = findTemporalUi(createProcessStore(pool), settings.temporalUiUrl ?? null);
  const event = await showEvent({ reader, deployment, temporalUi }, id, null);
  if (event === null) return complain(`${id}: no such event, and no dead letter of one`);
  const loaded = wanted ? await reader.loadPayload(event.id, null) : null;
  if (json) print(JSON.stringify(loaded === null ? event : { ...event, payload: loaded.payload }));
  else {
    for (const line of describe(event)) print(line);
    if (loaded !== null) print(`${'payload'.padEnd(WIDTH)}${JSON.stringify(loaded.payload)}`);
  }
  return 0;
}

const WIDTH = 14;

function* describe(event: ShownEvent): Generator<string> {
  const line = (name: string, ...parts: readonly (string | number | null)[]) =>
    `${name.padEnd(WIDTH)}${parts.filter((part) => part !== null && part !== '').join('  ')}`;
  const { aggregate, delivery } = event;
  yield line('event', event.id, event.eventName, event.eventType);
  yield line('destination', event.destination);
  yield line('tenant', event.tenantId ?? '-');
  const version = aggregate.version === null ? null : `v${aggregate.version}`;
  yield line('aggregate', `${aggregate.type}/${aggregate.id}`, version);
  yield line('source', event.source);
  yield line('occurred', event.occurredAt);
  yield line('recorded', event.recordedAt);
  if (event.traceparent !== null) yield line('traceparent', event.traceparent);
  yield line('content', event.contentHash);
  if (delivery === null) {
    yield line('state', 'without a delivery: `outbox books` finds such, and mends them');
    return;
  }
  const { status, epoch, claimed, startedAt, startTries, carrier, policyHash, receipt, run } = delivery;
  yield line(
    'state',
    event.state ?? status.toLowerCase(),
    `epoch ${epoch}`,
    claimed ? 'claimed' : null,
    event.blocked ? 'blocked: `outbox events blocked`' : null,
    startTries === 0 ? null : `${startTries} starts failed`,
    event.dueAt === null ? null : `due ${event.dueAt}`,
  );
  if (startedAt !== null) yield line('started', startedAt);
  if (run !== null) yield line('run', run.workflowId, run.runId, run.url);
  if (carrier !== null) yield line('carried by', carrier);
  if (policyHash !== null) yield line('policy', policyHash);
  if ([event.attempts, event.letters, event.revisions].some(({ length }) => length >= MOST_OF_EVENT)) {
    yield line('', `of attempts, letters and revisions the latest ${MOST_OF_EVENT} are shown`);
  }
  for (const { n, local, code, message, ...attempt } of event.attempts) {
    const end = code === null ? (attempt.finishedAt === null ? 'under way' : 'without an error') : code;
    const then = attempt.delayMs === null ? null : `next in ${attempt.delayMs / 1_000} s`;
    const where = attempt.worker === null ? null : `by ${attempt.worker}`;
    const which = `${attempt.epoch}.${n}${local ? ' local' : ''}`;
    yield line('attempt', which, attempt.startedAt, end, attempt.status, message, then, where);
  }
  for (const { id, code, state, createdAt, stateAt, actor, reason, epoch: of } of event.letters) {
    const who = actor === null ? null : `by ${actor}: ${reason ?? ''}`;
    yield line('dead letter', id, `epoch ${of}`, createdAt, code, state, stateAt, who);
  }
  for (const { epoch: from, actor, reason, createdAt } of event.revisions) {
    yield line('revision', `from epoch ${from}`, createdAt, `${actor}: ${reason}`);
  }
  if (event.settledAt !== null) yield line('settled', event.settledAt);
  if (receipt !== null) yield line('receipt', JSON.stringify(receipt));
}
