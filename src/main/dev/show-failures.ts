/**
 * What a newcomer should have seen of failures, once for each start of `outbox dev`, a line for each step: a retry that
 * heals, dead letters, their notice (which the terminal's channel prints), a redrive that heals, and some letters that are
 * left for him to redrive.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { DevWorld } from './dev-world.js';
import { findRefused, mendPartner, type RefusedOrder, redriveRefused } from './mend-partner.js';
import { packageFile } from './package-file.js';
import { runSampleTransaction, type SampleKind } from './sample-application.js';
import { SAMPLE_PARTNER_KEY } from './sample-partner.js';
import { pathOf } from './shell-command.js';

const LOOK_EVERY_MS = 250;
/** Long enough to read the line before. */
const PAUSE_MS = 3_000;

type SampleDeps = Parameters<typeof runSampleTransaction>[0];

export async function showFailures(
  world: DevWorld,
  { deps, signal }: { readonly deps: SampleDeps; readonly signal: AbortSignal },
): Promise<void> {
  const say = (label: string, line: string) => void process.stdout.write(`${label.padEnd(10)}${line}\n`);
  const until = async (look: () => Promise<boolean>) => {
    while (!(await look())) await delay(LOOK_EVERY_MS, undefined, { signal });
  };
  const run = async (kind: SampleKind) => {
    signal.throwIfAborted();
    const ids = await runSampleTransaction(deps, kind);
    world.roles.hint();
    return ids;
  };
  const die = async () => {
    const ids = await run('refusedExports');
    await until(async () => (await findRefused(world, ids)).length === ids.length);
    return { ids, refused: await findRefused(world, ids) };
  };
  const docs = pathOf(packageFile('docs/dead-letters.md'));

  const retried = await run('unsteadyExport');
  await until(async () => (await countIn(world, retried, 'DELIVERED')) === retried.length);
  const tries = await countAttempts(world, retried);
  say('retry', `the partner answered 503 to an order; try ${tries} delivered it, as its policy says: outbox policies`);

  const { ids, refused } = await die();
  const link = linkOf(world, refused[0]);
  const run1 = link === null ? '' : ` The run that failed: ${link}`;
  say('dead', `the partner answered 422 to ${ids.length} orders; they wait for a person: outbox dlq list.${run1}`);
  await until(async () => (await countTold(world, ids)) === ids.length);
  await delay(PAUSE_MS, undefined, { signal });

  await mendPartner(world, refused);
  const redriven = await redriveRefused(world, refused);
  say('redriven', `the partner is mended, ${redriven} orders are sent again: outbox dlq list --state redriven`);
  await until(async () => (await countIn(world, ids, 'DELIVERED')) === ids.length);
  say(
    'healed',
    `all ${ids.length} are delivered; who redrove them and why stands in the audit log, as an event like any other`,
  );
  await delay(PAUSE_MS, undefined, { signal });

  await die();
  // With those that an earlier start was stopped at.
  const left = await findRefused(world, null);
  await mendPartner(world, left);
  const command = `outbox dlq redrive --destination ${SAMPLE_PARTNER_KEY} --reason "the partner is mended"`;
  say('yours', `${left.length} more are left for you, the partner is mended: ${command} (${docs})`);
}

async function countIn({ outbox }: DevWorld, ids: readonly string[], status: string): Promise<number> {
  const text = 'SELECT count(*)::int AS n FROM outbox.delivery WHERE event_id = ANY ($1::uuid[]) AND status = $2';
  const { rows } = await outbox.query<{ n: number }>(text, [ids, status]);
  return rows[0]?.n ?? 0;
}

async function countAttempts({ outbox }: DevWorld, ids: readonly string[]): Promise<number> {
  const text = 'SELECT count(*)::int AS n FROM outbox.delivery_attempt WHERE event_id = ANY ($1::uuid[])';
  const { rows } = await outbox.query<{ n: number }>(text, [ids]);
  return rows[0]?.n ?? 0;
}

async function countTold({ outbox }: DevWorld, ids: readonly string[]): Promise<number> {
  const { rows } = await outbox.query<{ n: number }>(
    'SELECT count(*)::int AS n FROM outbox.notification WHERE event_id = ANY ($1::uuid[]) AND done_at IS NOT NULL',
    [ids],
  );
  return rows[0]?.n ?? 0;
}

/** In the Temporal Web UI; null where its address is not known. */
function linkOf({ temporal }: DevWorld, letter: RefusedOrder | undefined): string | null {
  if (temporal.uiUrl === null || !letter?.workflowId || !letter.runId) return null;
  const run = `${encodeURIComponent(letter.workflowId)}/${letter.runId}`;
  return `${temporal.uiUrl}/namespaces/${temporal.target.namespace}/workflows/${run}/history`;
}
