/** `outbox failed-ingest list | show | retry | discard`: what the audit log could not store (R28), on its own database. */

import { actOnMatching, countMatching, type MatchingDeps, MOST_AT_ONCE } from '../application/audit/act-on-matching.js';
import { discardFailedIngest } from '../application/audit/discard-failed-ingest.js';
import { createIngestRules } from '../application/audit/ingest-rules.js';
import type { FailedIngestFilter } from '../application/audit/ports.js';
import { type RetryOutcome, retryFailedIngest } from '../application/audit/retry-failed-ingest.js';
import type { FailedIngestState } from '../domain/audit/failed-ingest.js';
import { toView } from '../http/failed-ingest-routes.js';
import { loadSettings, requireSetting } from '../infrastructure/config/load-settings.js';
import { processEnvironment } from '../infrastructure/config/process-environment.js';
import type { Settings, SettingsUser } from '../infrastructure/config/settings.js';
import { createAuditStore } from '../infrastructure/prisma/audit-store.js';
import { createFailedIngestStore } from '../infrastructure/prisma/failed-ingest-store.js';
import { createPool, type PgPool } from '../infrastructure/prisma/pg-pool.js';
import { explainingDatabase } from './explain-database.js';
import { complain, print, wordOf } from './terminal.js';

interface FilterOptions {
  readonly code?: string;
  readonly source?: string;
  readonly since?: string;
  readonly until?: string;
  readonly tenant?: string;
}

interface WordOptions extends FilterOptions {
  readonly cap?: number;
  readonly after?: string;
  readonly dryRun?: boolean;
  readonly reason: string;
  readonly actor?: string;
  readonly json?: boolean;
}

type ListOptions = FilterOptions & { state: FailedIngestState; limit: number; before?: string; json?: boolean };

export function runList(options: ListOptions): Promise<number> {
  return withDatabase(['failed-ingest'], async (pool) => {
    const { state, limit, tenant: tenantId = null, before = null } = options;
    const query = { tenantId, state, filter: filterOf(options), before, limit: limit + 1 };
    const rows = await createFailedIngestStore(pool).list(query);
    const items = rows.slice(0, limit).map(toView);
    const next = rows.length > limit ? (items.at(-1)?.id ?? null) : null;
    if (options.json) print(JSON.stringify({ items, next }));
    else {
      for (const { id, lastAt, tries, code, tenantId: tenant, source, eventId } of items) {
        print([id, lastAt, `${tries}x`, code, tenant ?? '-', source, eventId].join('  '));
      }
      print(items.length === 0 ? `none is ${state}` : next === null ? 'that is all' : `more: --before ${next}`);
    }
    return 0;
  });
}

export function runShow(id: string, options: { json?: boolean }): Promise<number> {
  return withDatabase(['failed-ingest'], async (pool) => {
    const found = await createFailedIngestStore(pool).find({ id, tenantId: null });
    if (found === null) return complain(`${id}: no such failed event`);
    const view = { ...toView(found), body: found.body };
    if (options.json) print(JSON.stringify(view));
    else {
      const shown = { ...view, body: found.body ?? 'none: only what is open keeps what was sent' };
      for (const [name, value] of Object.entries(shown)) print(`${name.padEnd(10)}${value ?? '-'}`);
    }
    return 0;
  });
}

export function runRetry(ids: readonly string[], options: WordOptions): Promise<number> {
  return withActs('retry', async (acts) => {
    if (ids.length === 0) return runMatching('retry', acts, options);
    const one = (id: string) => acts.retryFailedIngest({ id, tenantId: null }, wordOf(options));
    return forEach(ids, options, 'stored', one, describeRetry);
  });
}

export function runDiscard(ids: readonly string[], options: WordOptions): Promise<number> {
  return withActs('discard', async (acts) => {
    if (ids.length === 0) return runMatching('discard', acts, options);
    const one = async (id: string) => {
      const outcome = await acts.discardFailedIngest({ id, tenantId: null }, wordOf(options));
      return outcome.kind === 'discarded' ? { kind: outcome.kind } : outcome;
    };
    return forEach(ids, options, 'discarded', one, (outcome) =>
      outcome.kind === 'discarded' ? 'discarded' : describeRetry(outcome),
    );
  });
}

/** Exit code 1 where one stays open. */
async function runMatching(verb: 'retry' | 'discard', acts: MatchingDeps, options: WordOptions): Promise<number> {
  const { tenant: tenantId = null, cap = MOST_AT_ONCE, after = null, dryRun, json } = options;
  const task = { tenantId, filter: filterOf(options), cap, after };
  const counts = dryRun ? await countMatching(acts, task) : await actOnMatching(acts, verb, task, wordOf(options));
  const { matched, next, ...ends } = counts;
  const told = Object.entries(ends).flatMap(([name, n]) =>
    n === 0 ? [] : [`${n} ${WORDS[name as keyof typeof ends]}`],
  );
  if (json) print(JSON.stringify(counts));
  else print(`${matched} match${dryRun ? '; nothing was done' : ''}${told.map((part) => `, ${part}`).join('')}`);
  if (next !== null && !json) print(`more: --after ${next}`);
  return ends.failed + ends.invalid + ends.otherContent > 0 ? 1 : 0;
}

const WORDS = {
  stored: 'stored',
  otherContent: 'closed (a record with other content has the identity)',
  discarded: 'discarded',
  failed: 'failed again and stay open',
  invalid: 'do not fit DTO v1 and stay open',
  notOpen: 'closed by somebody else',
} as const;

function filterOf(options: FilterOptions): FailedIngestFilter {
  const { code = null, source = null, since = null, until = null } = options;
  return { code, source, since, until };
}

function withActs(verb: 'retry' | 'discard', work: (acts: MatchingDeps) => Promise<number>): Promise<number> {
  return withDatabase(['failed-ingest', `failed-ingest ${verb}`], (pool, settings) => {
    const deps = {
      failedIngest: createFailedIngestStore(pool),
      store: createAuditStore(pool),
      // By the built-in names again: what is configured was taken out before it was kept.
      rules: createIngestRules(),
      fingerprintKeys: requireSetting(settings.auditFingerprintKeys, 'AUDIT_FINGERPRINT_KEYS'),
      log: SILENT,
    };
    const acts = { retryFailedIngest: retryFailedIngest(deps), discardFailedIngest: discardFailedIngest(deps) };
    return work({ failedIngest: deps.failedIngest, ...acts });
  });
}

/** What is done is printed here, and stands in the row. */
const SILENT = { info: () => undefined, error: () => undefined };

async function forEach<Outcome extends { readonly kind: string }>(
  ids: readonly string[],
  { json }: WordOptions,
  wanted: Outcome['kind'],
  work: (id: string) => Promise<Outcome>,
  describe: (outcome: Outcome) => string,
): Promise<number> {
  const results: object[] = [];
  let code = 0;
  for (const id of ids) {
    const outcome = await work(id);
    if (outcome.kind !== wanted) code = 1;
    const { kind, ...more } = outcome;
    results.push({ id, outcome: kind, ...more });
    if (!json) print(`${id}: ${describe(outcome)}`);
  }
  if (json) print(JSON.stringify({ results }));
  return code;
}

function describeRetry(outcome: RetryOutcome): string {
  switch (outcome.kind) {
    case 'stored':
      return `stored as record ${outcome.receipt.recordId}`;
    case 'other_content':
      return 'closed: a record with other content has this identity';
    case 'failed':
      return `failed again, and stays open: ${outcome.failure.message}`;
    case 'invalid': {
      const [problem] = outcome.problems;
      return `what was kept does not fit DTO v1 (${problem?.pointer}: ${problem?.detail}); discard it`;
    }
    case 'missing':
      return 'no such failed event';
    case 'not_open':
      return `expected one that is open, this one is ${outcome.state}`;
    default:
      return assertNever(outcome);
  }
}

async function withDatabase(
  users: readonly SettingsUser[],
  work: (pool: PgPool, settings: Settings) => Promise<number>,
): Promise<number> {
  const settings = loadSettings(processEnvironment(), users);
  const pool = createPool(requireSetting(settings.auditDatabaseUrl, 'AUDIT_DATABASE_URL'), { max: 1 });
  try {
    return await explainingDatabase('audit', () => work(pool, settings));
  } finally {
    await pool.end();
  }
}

function assertNever(value: never): never {
  throw new Error(`unexpected outcome: ${JSON.stringify(value)}`);
}
