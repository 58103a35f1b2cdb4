/** `outbox audit verify`: whether the records are those that were sealed and signed. Reads only. */
import { NOTE_TOOLS } from '../application/audit/log/note-tools.js';
import { AnchorUnavailableError } from '../application/audit/log/ports.js';
import { findRecordRange } from '../application/audit/verify/find-record-range.js';
import type { KnownKeys } from '../application/audit/verify/open-notes.js';
import type { Break, VerifyReport } from '../application/audit/verify/report.js';
import { type VerifyProgress, type VerifyRange, verifyLog } from '../application/audit/verify/verify-log.js';
import { NoteKeyError, parseVerifierKey } from '../domain/audit/note-key.js';
import { createFileAnchor } from '../infrastructure/anchor/file-anchor.js';
import { ConfigurationError, loadSettings, requireSetting } from '../infrastructure/config/load-settings.js';
import { processEnvironment } from '../infrastructure/config/process-environment.js';
import type { Settings } from '../infrastructure/config/settings.js';
import { createLeafStore } from '../infrastructure/prisma/leaf-store.js';
import { createPool } from '../infrastructure/prisma/pg-pool.js';
import { createVerifyStore, WHOLE_TABLE_TIMEOUT_MS } from '../infrastructure/prisma/verify-store.js';
import { EXIT } from './exit-codes.js';
import { explainingDatabase } from './explain-database.js';
import { openLogKeys } from './open-log-keys.js';
import { complain, note, print } from './terminal.js';
import { UsageError } from './usage-error.js';

export interface VerifyOptions {
  readonly record?: string;
  readonly from?: number;
  readonly to?: number;
  /** A file. Default: the one that the settings name. */
  readonly anchor?: string;
  /** Public keys, instead of those of the settings. */
  readonly key?: readonly string[];
  readonly json?: boolean;
}

const PROGRESS_EVERY_MS = 2_000;

/** Exit code 1 where anything does not hold; the first of it by the log's order is named. */
export async function runAuditVerify(options: VerifyOptions): Promise<number> {
  const settings = loadSettings(processEnvironment(), ['audit']);
  const keys = keysOf(settings, options.key);
  const url = requireSetting(settings.auditDatabaseUrl, 'AUDIT_DATABASE_URL');
  const anchorFile = options.anchor ?? settings.auditAnchorFile;
  const pool = createPool(url, { max: 2, statementTimeoutMs: WHOLE_TABLE_TIMEOUT_MS });
  const stopping = new AbortController();
  const stop = () => stopping.abort();
  process.once('SIGINT', stop).once('SIGTERM', stop);
  const progress = tellProgress(options);
  try {
    return await explainingDatabase('audit', async () => {
      const store = createVerifyStore(pool);
      const found = options.record === undefined ? null : await findRecordRange(store, options.record);
      if (found !== null && found.kind !== 'sealed') return tellUnsealed(found.kind, options);
      const verify = verifyLog({
        store,
        leaves: createLeafStore(pool),
        tools: NOTE_TOOLS,
        keys,
        anchor: anchorFile === undefined ? null : createFileAnchor(anchorFile),
      });
      const range: VerifyRange = found?.range ?? options;
      const report = await verify(range, { signal: stopping.signal, onProgress: progress.seen });
      progress.end();
      tell(report, options);
      return report.first === null ? EXIT.done : EXIT.failed;
    });
  } catch (error) {
    if (stopping.signal.aborted) return complain('interrupted: nothing is said of the log', 'interrupted');
    if (!(error instanceof AnchorUnavailableError)) throw error;
    return complain(`${error.message}: ${String((error.cause as Error)?.message)}`, 'unavailable');
  } finally {
    progress.end();
    process.off('SIGINT', stop).off('SIGTERM', stop);
    await pool.end();
  }
}

function keysOf(settings: Settings, given: readonly string[] | undefined): KnownKeys {
  if (given === undefined) {
    const keys = openLogKeys(settings);
    if (keys !== null) return keys;
    throw new ConfigurationError(['expected the keys of the log: AUDIT_SIGNING_KEYS, AUDIT_VERIFIER_KEYS, or --key']);
  }
  try {
    const verifiers = given.map((text) => parseVerifierKey(NOTE_TOOLS, text));
    const [first] = verifiers;
    if (first === undefined || verifiers.some(({ name }) => name !== first.name)) {
      throw new NoteKeyError('expected keys of one log');
    }
    return { base: first.name, verifiers };
  } catch (error) {
    if (!(error instanceof NoteKeyError)) throw error;
    throw new UsageError(`--key: ${error.message}`, { command: 'outbox audit verify' });
  }
}

function tellProgress(options: VerifyOptions): { seen(progress: VerifyProgress): void; end(): void } {
  let now: VerifyProgress | null = null;
  const timer = setInterval(() => {
    if (now === null) return;
    const percent = now.of === 0 ? 100 : Math.floor((now.done / now.of) * 100);
    note(`${now.phase}: ${now.done} of ${now.of} leaves, ${Math.min(percent, 100)} %`, options);
  }, PROGRESS_EVERY_MS);
  return {
    seen: (progress) => {
      now = progress;
    },
    end: () => clearInterval(timer),
  };
}

function tellUnsealed(kind: 'pending' | 'missing', { record, json }: VerifyOptions): number {
  if (json) print(JSON.stringify({ record, [kind]: true }));
  else if (kind === 'pending') print(`${record}: not sealed yet, so there is nothing to compare it with; in a second`);
  else print(`${record}: no such record. Where it was one, verify the whole log`);
  return kind === 'pending' ? EXIT.done : EXIT.failed;
}

function tell(report: VerifyReport, { json, record }: VerifyOptions): void {
  if (json) {
    print(JSON.stringify(report));
    return;
  }
  const { size, from, to, records, erased, dropped, pending, signedSize, anchoredSize, acceptedLosses } = report;
  const what = record === undefined ? '' : `record ${record}: `;
  print(`${what}leaves ${from} to ${Math.max(from, to - 1)} of ${size}: ${records} records looked at`);
  if (erased > 0) print(`${erased} erased, by signed notes`);
  if (dropped > 0) print(`${dropped} dropped by retention, by signed notes`);
  if (pending > 0) print(`${pending} not sealed yet`);
  print(signedSize === 0 ? 'NOT SIGNED: no checkpoint proves any of it' : `signed up to ${signedSize}`);
  if (anchoredSize === null) print('no anchor: a log cut short or restored with all it holds cannot be told');
  else print(`anchored up to ${anchoredSize}`);
  for (const loss of acceptedLosses) print(`loss accepted: ${loss}`);
  for (const found of report.breaks) print(describe(found));
  const total = Object.values(report.counts).reduce((sum, count) => sum + count, 0);
  if (total === 0) print('no break');
  else {
    const counts = Object.entries(report.counts).map(([kind, count]) => `${count} ${kind}`);
    print(`BROKEN: ${counts.join(', ')}${total > report.breaks.length ? `; ${report.breaks.length} named` : ''}`);
  }
}

function describe({ kind, index, recordId, what }: Break): string {
  const at = index === null ? '' : ` leaf ${index}`;
  return `${kind}:${at}${recordId === null ? '' : ` record ${recordId}`}: ${what}`;
}
