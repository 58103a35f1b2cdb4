/** `outbox policies`: what is in force, what it would do, and pointing open deliveries to it. */
import { applyOrdering } from '../application/delivery/ordering/apply-ordering.js';
import { hashPolicies, policyHash } from '../application/delivery/policy-hash.js';
import { type Policies, resolvePolicies } from '../application/delivery/policy-schema.js';
import type { Coalescing } from '../domain/delivery/coalescing.js';
import { describePolicy } from '../domain/delivery/describe-policy.js';
import { ERROR_CODES, type ErrorCode, isErrorCode } from '../domain/delivery/error-catalog.js';
import { simulateFailures } from '../domain/delivery/simulate-failures.js';
import { loadConfigFile } from '../infrastructure/config/load-config-file.js';
import { loadSettings, requireSetting } from '../infrastructure/config/load-settings.js';
import { processEnvironment } from '../infrastructure/config/process-environment.js';
import { createDeploymentStore } from '../infrastructure/prisma/deployment-store.js';
import { createOrderingStore } from '../infrastructure/prisma/ordering-store.js';
import { createPool, type PgPool } from '../infrastructure/prisma/pg-pool.js';
import { createPolicyStore } from '../infrastructure/prisma/policy-store.js';
import { seededRandom } from './dev/seeded-random.js';
import { explainingDatabase } from './explain-database.js';
import { actorOf } from './terminal.js';
import { UsageError } from './usage-error.js';

interface Common {
  readonly config?: string;
  readonly json?: boolean;
}

/** `outbox policies`: of the configuration, and how many open deliveries have which, where a database is named. */
export async function runListPolicies(options: Common): Promise<number> {
  const policies = await load(options);
  const rows = ['*', ...policies.named].map((eventType) => {
    const policy = eventType === '*' ? policies.otherwise : policies.of(eventType);
    const ordering = policies.orderings.get(eventType) ?? 'none';
    const coalescing = policies.coalescings.named.get(eventType) ?? policies.coalescings.otherwise;
    return { eventType, hash: policyHash(policy), policy, ordering, coalescing };
  });
  const settings = loadSettings(processEnvironment(), []);
  const open = settings.databaseUrl === undefined ? null : await readOpen(settings.databaseUrl);
  if (options.json) return print(JSON.stringify({ policies: rows, open }));
  for (const { eventType, hash, policy, ordering, coalescing } of rows) {
    const order = ordering === 'none' ? '' : `; by aggregate, ${ordering}`;
    print(`${eventType.padEnd(16)}${hash}  ${describePolicy(policy)}${order}${describeCoalescing(coalescing)}`);
  }
  if (open === null) return print('\nOUTBOX_DATABASE_URL is not set: not looked at open deliveries');
  print(open.length === 0 ? '\nno open deliveries' : '\nopen deliveries:');
  for (const { eventType, hash, open: count } of open) {
    print(`${eventType.padEnd(16)}${hash ?? '(given by the claim)'}  ${count}`);
  }
  return 0;
}

function describeCoalescing({ mode, size, above, below }: Coalescing): string {
  if (mode === 'off') return '';
  const when = mode === 'always' ? 'always' : `above ${above} waiting, until below ${below}`;
  return `; up to ${size} in one run, ${when}`;
}

/** `outbox policies --simulate CODE`: the attempts of an event that always fails so. */
export async function runSimulatePolicy(
  options: Common & { simulate: string; eventType?: string; seed: number; attemptMs: number; retryAfter?: number },
): Promise<number> {
  const code = readCode(options.simulate);
  const policies = await load(options);
  const policy = options.eventType === undefined ? policies.otherwise : policies.of(options.eventType);
  const { seed, attemptMs } = options;
  const simulation = simulateFailures({
    policy,
    code,
    random: seededRandom(seed),
    attemptMs,
    retryAfterMs: options.retryAfter === undefined ? null : options.retryAfter * 1_000,
  });
  const eventType = options.eventType ?? '*';
  if (options.json) return print(JSON.stringify({ eventType, code, seed, hash: policyHash(policy), ...simulation }));
  print(`${code} under the policy of ${eventType} (${policyHash(policy)}): ${describePolicy(policy)}`);
  for (const { attempt, atMs, delayMs } of simulation.attempts) {
    const then = delayMs === null ? `final: ${simulation.finalCode}` : `again in ${seconds(delayMs)}`;
    print(`  attempt ${String(attempt).padStart(3)}  at ${seconds(atMs).padStart(13)}  ${then}`);
  }
  return print(
    simulation.finalCode === null ? '  and so on, without end' : `  dead letter after ${seconds(simulation.totalMs)}`,
  );
}

/** `outbox policies apply`: to open deliveries the policies, to event types the ordering. */
export async function runApplyPolicies(
  options: Common & { eventType?: string; toOpen?: boolean; ordering?: boolean; dryRun?: boolean; actor?: string },
): Promise<number> {
  const policies = await load(options);
  const settings = loadSettings(processEnvironment(), ['policies']);
  const pool = createPool(requireSetting(settings.databaseUrl, 'OUTBOX_DATABASE_URL'), { max: 2 });
  try {
    const ordered = options.ordering ? await orderTypes(pool, policies, options) : {};
    const applied = options.toOpen ? await pointOpen(pool, policies, options) : { held: 0 };
    if (options.json) print(JSON.stringify({ ...ordered, ...(options.toOpen ? applied : {}) }));
    return applied.held > 0 ? 1 : 0;
  } finally {
    await pool.end();
  }
}

async function pointOpen(pool: PgPool, policies: Policies, options: Common & { eventType?: string }) {
  const { hashes, bodies } = hashPolicies(policies);
  let said = performance.now();
  const progress = (changed: number) => {
    if (options.json || performance.now() - said < 2_000) return;
    said = performance.now();
    process.stderr.write(`${changed} so far\n`);
  };
  const applied = await explainingDatabase('outbox', async () => {
    await createDeploymentStore(pool).storePolicies(bodies);
    return createPolicyStore(pool).applyToOpen(hashes, options.eventType ?? null, progress);
  });
  if (!options.json) {
    print(`${applied.changed} open deliveries have the policy of the configuration now`);
    if (applied.held > 0) print(`${applied.held} were being written and keep theirs: run it again`);
  }
  return applied;
}

async function orderTypes(
  pool: PgPool,
  { orderings }: Policies,
  options: Common & { eventType?: string; dryRun?: boolean; actor?: string },
) {
  const { eventType = null, dryRun = false } = options;
  const actor = actorOf(options.actor);
  const deps = { store: createOrderingStore(pool) };
  const applied = await explainingDatabase('outbox', () =>
    applyOrdering(deps, orderings, { eventType, actor, dryRun }),
  );
  if (options.json) return applied;
  for (const change of applied.changes) {
    print(`${change.eventType.padEnd(16)}ordering ${change.from} -> ${change.to}${dryRun ? '  (dry run)' : ''}`);
  }
  if (applied.changes.length === 0) print('ordering: nothing changes');
  for (const { eventType: type, events, latest } of applied.unversioned) {
    const which = `${events} of the latest events of ${type} have no aggregate.version`;
    print(`${which}, the last one ${latest.eventName} of ${latest.recordedAt}: ${dryRun ? 'would be' : 'are'} refused`);
  }
  return applied;
}

async function load(options: Common): Promise<Policies> {
  return resolvePolicies((await loadConfigFile(options.config ?? null, process.cwd())).policies);
}

async function readOpen(url: string) {
  const pool = createPool(url, { max: 1 });
  try {
    return await explainingDatabase('outbox', () => createPolicyStore(pool).listOpen());
  } finally {
    await pool.end();
  }
}

function readCode(text: string): ErrorCode {
  if (isErrorCode(text)) return text;
  throw new UsageError(`--simulate: expected one of ${ERROR_CODES.join(', ')}, got "${text.slice(0, 40)}"`, {
    command: 'outbox policies',
  });
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(3)} s`;
}

function print(line: string): 0 {
  process.stdout.write(`${line}\n`);
  return 0;
}
