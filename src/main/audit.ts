/** `outbox audit list | show | export`: the records, on the audit log's own database: of every tenant but where one is named. */
import { once } from 'node:events';
import type { z } from 'zod';
import { toOcsf } from '../application/audit/ocsf/to-ocsf.js';
import { exportRecords } from '../application/audit/reading/export-records.js';
import { listRecords } from '../application/audit/reading/list-records.js';
import type { RecordReader } from '../application/audit/reading/ports.js';
import { type ExportFormat, RECORD_LINES } from '../application/audit/reading/record-lines.js';
import { toRecordFilter } from '../application/audit/reading/to-record-filter.js';
import { toRecordView } from '../application/audit/reading/to-record-view.js';
import type { AuditEvent } from '../contract/audit-dto.js';
import { exportQuerySchema, type RecordFilterQuery, type RecordView } from '../contract/audit-records-api.js';
import { loadSettings, requireSetting } from '../infrastructure/config/load-settings.js';
import { processEnvironment } from '../infrastructure/config/process-environment.js';
import { createPool } from '../infrastructure/prisma/pg-pool.js';
import { createRecordReader } from '../infrastructure/prisma/record-reader.js';
import { explainingDatabase } from './explain-database.js';
import { complain, print, safeForTerminal } from './terminal.js';
import { UsageError } from './usage-error.js';

/** As the command line gives them. */
export interface RecordFilterOptions {
  readonly tenant?: string;
  readonly actorType?: string;
  readonly actor?: string;
  readonly targetType?: string;
  readonly target?: string;
  readonly action?: string;
  readonly category?: string;
  readonly operation?: string;
  readonly outcome?: string;
  readonly severity?: string;
  readonly source?: string;
  readonly since?: string;
  readonly until?: string;
  readonly occurredSince?: string;
  readonly occurredUntil?: string;
  readonly text?: string;
}

/** Which option each field of a filter is. */
const OPTION_OF = {
  tenantId: 'tenant',
  actorType: 'actorType',
  actorId: 'actor',
  targetType: 'targetType',
  targetId: 'target',
  action: 'action',
  category: 'category',
  operation: 'operation',
  outcome: 'outcome',
  severity: 'severity',
  source: 'source',
  recordedFrom: 'since',
  recordedTo: 'until',
  occurredFrom: 'occurredSince',
  occurredTo: 'occurredUntil',
  text: 'text',
} as const satisfies Record<keyof RecordFilterQuery, keyof RecordFilterOptions>;

export function runList(
  options: RecordFilterOptions & { limit: number; before?: string; ocsf?: boolean; json?: boolean },
): Promise<number> {
  const filter = filterOf(options, 'outbox audit list');
  return withDatabase(async (reader) => {
    const { limit, before: after = null } = options;
    const page = await listRecords({ reader, clock: () => performance.now() }, filter, { after, limit });
    const items = page.records.map(toRecordView);
    if (options.json) {
      const shown = options.ocsf ? items.map(toOcsf) : items;
      print(JSON.stringify({ items: shown, next: page.after, searched: page.searched }));
    } else {
      for (const item of items) print(options.ocsf ? JSON.stringify(toOcsf(item)) : describe(item));
      print(page.after === null ? 'that is all' : `${page.searched} looked at; more: --before ${page.after}`);
    }
    return 0;
  });
}

export function runShow(id: string, options: { ocsf?: boolean; json?: boolean }): Promise<number> {
  return withDatabase(async (reader) => {
    const [record] = await reader.read([id], null);
    if (record === undefined) return complain(`${id}: no such record`);
    const view = toRecordView(record);
    if (options.ocsf || options.json) print(JSON.stringify(options.ocsf ? toOcsf(view) : view));
    else {
      const { event, ...fields } = { event: {}, ...view };
      for (const [name, value] of Object.entries({ ...fields, ...event })) {
        print(`${name.padEnd(15)}${typeof value === 'string' ? value : JSON.stringify(value)}`);
      }
    }
    return 0;
  });
}

/** A broken pipe ends it without a word, as `| head` expects; whoever needs all of it looks for the last line. */
export function runExport(options: RecordFilterOptions & { format: ExportFormat }): Promise<number> {
  const filter = filterOf(options, 'outbox audit export');
  return withDatabase(async (reader) => {
    const lines = RECORD_LINES[options.format];
    // JSON means the same with its escapes. A table does not: only a terminal gets it with them.
    const escaped = options.format !== 'csv' || process.stdout.isTTY;
    const gone = new AbortController();
    const write = async (text: string) => {
      const out = escaped ? text.split('\n').map(safeForTerminal).join('\n') : text;
      // Nobody reads any more: no error of the database's, and told by what it returns.
      if (!process.stdout.write(out))
        await once(process.stdout, 'drain', { signal: gone.signal }).catch(() => undefined);
    };
    for (const event of ['error', 'close']) process.stdout.once(event, () => gone.abort());
    let records = 0;
    await write(lines.first);
    for await (const page of exportRecords({ reader }, filter)) {
      const text = page.records.map((record) => lines.line(toRecordView(record))).join('');
      await write(text);
      records += page.records.length;
      page.took(text.length);
      if (gone.signal.aborted) return 1;
    }
    await write(lines.last(records));
    return 0;
  });
}

function describe(view: RecordView): string {
  if ('erased' in view) return [view.recordId, view.recordedAt, 'erased'].join('  ');
  const { action, outcome, actor, targets, source } = view.event as AuditEvent;
  const [target] = targets;
  const named = target === undefined ? '-' : `${target.type}:${target.id}${targets.length > 1 ? ' …' : ''}`;
  return [
    view.recordId,
    view.recordedAt,
    view.tenantId ?? '-',
    action,
    outcome,
    `${actor.type}:${actor.id ?? '-'}`,
    named,
    source,
  ].join('  ');
}

function filterOf(options: RecordFilterOptions, command: string) {
  const query: Record<string, string> = {};
  for (const [field, option] of Object.entries(OPTION_OF)) {
    const value = options[option];
    if (value !== undefined) query[field] = value;
  }
  const parsed = exportQuerySchema.safeParse(query);
  if (parsed.success) return toRecordFilter(parsed.data, parsed.data.tenantId ?? null);
  throw new UsageError(explainIssue(parsed.error), { command });
}

function explainIssue({ issues }: z.ZodError): string {
  const [issue] = issues;
  const option = OPTION_OF[issue?.path[0] as keyof typeof OPTION_OF];
  return `--${option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}: ${issue?.message}`;
}

async function withDatabase(work: (reader: RecordReader) => Promise<number>): Promise<number> {
  const settings = loadSettings(processEnvironment(), ['audit']);
  const pool = createPool(requireSetting(settings.auditDatabaseUrl, 'AUDIT_DATABASE_URL'), { max: 1 });
  try {
    return await explainingDatabase('audit', () => work(createRecordReader(pool)));
  } finally {
    await pool.end();
  }
}
