/**
 * `outbox dev --once`: says what it expects, produces it, waits until every event has landed, compares the books, and
 * returns 0 only if they agree.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { type Comparison, compareBooks } from './compare-books.js';
import type { DevWorld } from './dev-world.js';
import { importSampleEvents } from './import-sample.js';
import { openJournal, readJournal } from './journal.js';
import { runSampleTransaction, SAMPLE_KINDS, SAMPLE_OUTCOMES, type SampleKind } from './sample-application.js';

const TRANSACTIONS: Readonly<Record<SampleKind, number>> = {
  signIn: 60,
  placeOrder: 40,
  bill: 30,
  refusedPayment: 20,
  export: 15,
  refusedExport: 3,
};
const LANDING_DEADLINE_MS = 5 * 60_000;
const SAY_EVERY_MS = 2_000;

export async function runOnce(world: DevWorld, signal: AbortSignal): Promise<number> {
  const say = (line: string) => process.stdout.write(`${line}\n`);
  const expected = expectedNumbers();
  say('');
  say(
    `expects   ${expected.committed} events committed, ${expected.rolledBack} rolled back; of the committed ` +
      `${expected.delivered} delivered and ${expected.dead} refused by the sample partner (dead letters); and an import`,
  );
  const run = randomUUID();
  const file = join(world.dataDir, 'journal.ndjson');
  await produce(world, { run, file, signal });
  const imported = await importSampleEvents(world, signal);
  say(`produced  ${expected.committed} events; import: ${imported.imported} new, ${imported.replayed} there already`);

  const comparison = await waitForLanding(world, { run, file, signal, say });
  report(comparison, say);
  const journal = await readJournal(file);
  const own = [...journal.committed.values()].filter((entry) => entry.run === run);
  const problems = [...comparison.problems];
  if (own.length !== expected.committed)
    problems.push(`expected ${expected.committed} committed events, the journal has ${own.length}`);
  if (imported.refused > 0) problems.push(`the import refused ${imported.refused} lines`);
  if (comparison.open > 0)
    problems.push(`${comparison.open} events have not landed within ${LANDING_DEADLINE_MS / 60_000} minutes`);
  for (const problem of problems.slice(0, 20)) say(`PROBLEM   ${problem}`);
  if (problems.length > 20) say(`PROBLEM   and ${problems.length - 20} more`);
  say(
    problems.length === 0
      ? 'The books agree: every committed event landed once, nothing else did.'
      : 'The books do NOT agree.',
  );
  return problems.length === 0 ? 0 : 1;
}

function expectedNumbers() {
  const numbers = { committed: 0, rolledBack: 0, delivered: 0, dead: 0 };
  for (const kind of SAMPLE_KINDS) {
    const { events, commits, expect } = SAMPLE_OUTCOMES[kind];
    const count = events * TRANSACTIONS[kind];
    if (!commits) numbers.rolledBack += count;
    else {
      numbers.committed += count;
      numbers[expect] += count;
    }
  }
  return numbers;
}

async function produce(world: DevWorld, { run, file, signal }: { run: string; file: string; signal: AbortSignal }) {
  const journal = openJournal(file, run);
  const left = { ...TRANSACTIONS };
  for (let more = true; more; ) {
    more = false;
    for (const kind of SAMPLE_KINDS) {
      if (left[kind] === 0) continue;
      left[kind] -= 1;
      more = true;
      signal.throwIfAborted();
      await runSampleTransaction({ pool: world.outbox, journal, random: Math.random }, kind);
    }
    world.roles.hint();
  }
}

async function waitForLanding(
  world: DevWorld,
  { run, file, signal, say }: { run: string; file: string; signal: AbortSignal; say: (line: string) => void },
): Promise<Comparison> {
  const deadline = performance.now() + LANDING_DEADLINE_MS;
  let saidAt = performance.now();
  for (;;) {
    signal.throwIfAborted();
    const { rows } = await world.outbox.query<{ open: number }>(
      "SELECT count(*)::int AS open FROM outbox.delivery WHERE status IN ('PENDING', 'STARTED')",
    );
    const open = rows[0]?.open ?? 0;
    if (open === 0 || performance.now() > deadline) {
      const ownSource = `outbox:${world.settings.deployment}`;
      return compareBooks({ outbox: world.outbox, audit: world.audit }, await readJournal(file), { ownSource, run });
    }
    if (performance.now() - saidAt > SAY_EVERY_MS) {
      say(`waiting   ${open} events are on their way`);
      saidAt = performance.now();
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function report(found: Comparison, say: (line: string) => void): void {
  say(
    `journal   ${found.committed} committed, ${found.rolledBack} rolled back` +
      (found.inDoubt > 0 ? `, ${found.inDoubt} in doubt (a process died in COMMIT)` : ''),
  );
  say(`outbox    ${found.delivered} delivered, ${found.dead} dead, ${found.open} open (${found.imported} imported)`);
  say(`audit log ${found.records} records`);
  if (found.latencyMs !== null) {
    const { p50, p95, p99 } = found.latencyMs;
    say(`commit to record, this run: p50 ${p50} ms, p95 ${p95} ms, p99 ${p99} ms`);
  }
}
