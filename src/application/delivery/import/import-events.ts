import { setTimeout as delay } from 'node:timers/promises';
import { isIntegrationError } from '../../../domain/delivery/integration-error.js';
import type { Unrecognized } from './mappings/index.js';
import type { ImportedEvent, ImportStore } from './ports.js';
import { type NdjsonLine, readNdjson } from './read-ndjson.js';
import { type ImportContext, toImportedEvent } from './to-imported-event.js';

/** Every line that is not blank is counted in exactly one of imported, replayed and refused. */
export interface ImportCounts {
  lines: number;
  imported: number;
  /** Stood already with the same content, or stands twice in the file. */
  replayed: number;
  refused: number;
  /** Of the imported: cut for their size; without a time of their own. */
  truncated: number;
  timeMissing: number;
  /** Of all lines but the refused: by the mapping that read them. */
  byMapping: Record<string, number>;
  /** Of those, where no mapping was named: left to the default one, and why. */
  unrecognized: Record<Unrecognized, number>;
}

export interface ImportProgress extends Readonly<ImportCounts> {
  /** The last line that is settled: everything up to it is in, replayed or refused by name. */
  readonly lastLine: number;
  /** Offset of the first byte after it. */
  readonly bytes: number;
}

export interface ImportDeps {
  readonly store: ImportStore;
  /** Called once for each refused line, in order within its batch. */
  readonly onRefused: (line: number, reason: string) => void;
  /** Called after each batch. */
  readonly onProgress: (progress: ImportProgress) => void;
  /** Aborted: the batch at hand is settled, then the import ends. */
  readonly signal: AbortSignal;
}

export type ImportOptions = Omit<ImportContext, 'now'> & {
  /** Events in one statement at most. Default 200. */
  readonly batchSize?: number;
  /** UTF-8 bytes of lines in one statement at most, but for a single longer line. Default 2 MiB. */
  readonly batchBytes?: number;
};

export interface ImportResult extends ImportProgress {
  readonly ended: 'complete' | 'aborted';
}

/**
 * Appends every event of an NDJSON stream to the outbox, each once however often and by however many it is run (R25): the
 * same line again is a replay, the same id with other content is named and refused, and so is a broken line; the rest goes
 * in. Holds one batch in memory. Resumed by running it again.
 * Throws an IntegrationError `STORE.UNAVAILABLE` when the database stays away; what `onProgress` last told stands.
 */
export async function importEvents(
  chunks: AsyncIterable<Uint8Array>,
  options: ImportOptions,
  deps: ImportDeps,
): Promise<ImportResult> {
  const { batchSize = 200, batchBytes = 2 * 1024 * 1024 } = options;
  const counts: ImportCounts = {
    lines: 0,
    imported: 0,
    replayed: 0,
    refused: 0,
    truncated: 0,
    timeMissing: 0,
    byMapping: {},
    unrecognized: { none: 0, several: 0 },
  };
  let progress: ImportProgress = { ...snapshot(counts), lastLine: 0, bytes: 0 };
  let batch: NdjsonLine[] = [];
  let bytes = 0;

  const flush = async () => {
    const last = batch.at(-1);
    if (last === undefined) return;
    await importBatch(batch, { ...options, now: new Date() }, deps, counts);
    batch = [];
    bytes = 0;
    progress = { ...snapshot(counts), lastLine: last.number, bytes: last.end };
    deps.onProgress(progress);
  };

  for await (const line of readNdjson(chunks)) {
    batch.push(line);
    bytes += line.kind === 'line' ? line.bytes.length : 0;
    if (batch.length < batchSize && bytes < batchBytes) continue;
    await flush();
    if (deps.signal.aborted) return { ...progress, ended: 'aborted' };
  }
  if (deps.signal.aborted) return { ...progress, ended: 'aborted' };
  await flush();
  return { ...progress, ended: 'complete' };
}

function snapshot(counts: ImportCounts): ImportCounts {
  return { ...counts, byMapping: { ...counts.byMapping }, unrecognized: { ...counts.unrecognized } };
}

interface Candidate {
  readonly line: number;
  readonly event: ImportedEvent;
  readonly unrecognized: Unrecognized | undefined;
}

type Verdict = 'imported' | 'replayed' | { readonly refused: string };

async function importBatch(
  lines: readonly NdjsonLine[],
  context: ImportContext,
  deps: ImportDeps,
  counts: ImportCounts,
): Promise<void> {
  const verdicts = new Map<number, Verdict>();
  const candidates: Candidate[] = [];
  for (const line of lines) {
    const mapped =
      line.kind === 'line'
        ? toImportedEvent(line.bytes, context)
        : { ok: false as const, reason: `longer than a line may be (${line.length} bytes)` };
    if (mapped.ok) candidates.push({ line: line.number, event: mapped.event, unrecognized: mapped.unrecognized });
    else verdicts.set(line.number, { refused: mapped.reason });
  }
  for (const [line, verdict] of await settle(candidates, deps.store)) verdicts.set(line, verdict);

  const byLine = new Map(candidates.map((candidate) => [candidate.line, candidate]));
  for (const { number } of lines) {
    const verdict = verdicts.get(number) ?? { refused: 'not settled' };
    counts.lines += 1;
    if (verdict === 'replayed') counts.replayed += 1;
    else if (verdict === 'imported') {
      counts.imported += 1;
      const header = byLine.get(number)?.event.headers.import;
      if (header?.truncated) counts.truncated += 1;
      if (header?.timeMissing) counts.timeMissing += 1;
    } else {
      counts.refused += 1;
      deps.onRefused(number, verdict.refused);
      continue;
    }
    countMapping(byLine.get(number) as Candidate, counts);
  }
}

function countMapping({ event, unrecognized }: Candidate, counts: ImportCounts): void {
  const { mapping } = event.headers.import;
  counts.byMapping[mapping] = (counts.byMapping[mapping] ?? 0) + 1;
  if (unrecognized !== undefined) counts.unrecognized[unrecognized] += 1;
}

/**
 * Reads what stands, appends the rest, and where another import was faster reads again: ids are only ever added, so
 * each turn has fewer to append. A batch that the database refuses is halved down to the one line that it refuses.
 */
async function settle(candidates: readonly Candidate[], store: ImportStore): Promise<Map<number, Verdict>> {
  const verdicts = new Map<number, Verdict>();
  const first = new Map<string, Candidate>();
  const repeated: Candidate[] = [];
  for (const candidate of candidates) {
    if (first.has(candidate.event.id)) repeated.push(candidate);
    else first.set(candidate.event.id, candidate);
  }

  const open: Candidate[][] = first.size > 0 ? [[...first.values()]] : [];
  for (let group = open.pop(); group !== undefined; group = open.pop()) {
    const ids = group.map(({ event }) => event.id);
    const standing = await withRetry(() => store.findImported(ids));
    const missing: Candidate[] = [];
    for (const candidate of group) {
      const hash = standing.get(candidate.event.id);
      if (hash === undefined) missing.push(candidate);
      else verdicts.set(candidate.line, compare(candidate.event, hash));
    }
    if (missing.length === 0) continue;
    const answer = await withRetry(() => store.append(missing.map(({ event }) => event)));
    const [only] = missing;
    if (answer.kind === 'appended') for (const { line } of missing) verdicts.set(line, 'imported');
    else if (answer.kind === 'exists') open.push(missing);
    else if (missing.length === 1 && only) verdicts.set(only.line, { refused: answer.reason });
    else open.push(missing.slice(missing.length >> 1), missing.slice(0, missing.length >> 1));
  }

  // A line that repeats an earlier one of its batch shares its fate; with other content it stands against what stands.
  const again: Candidate[] = [];
  for (const candidate of repeated) {
    const earlier = first.get(candidate.event.id) as Candidate;
    const verdict = verdicts.get(earlier.line) as Verdict;
    const { contentSha256 } = earlier.event.headers.import;
    if (contentSha256 !== candidate.event.headers.import.contentSha256) again.push(candidate);
    else verdicts.set(candidate.line, verdict === 'imported' ? 'replayed' : verdict);
  }
  if (again.length > 0) for (const [line, verdict] of await settle(again, store)) verdicts.set(line, verdict);
  return verdicts;
}

function compare(event: ImportedEvent, standing: string | null): Verdict {
  const { contentSha256, sourceEventId } = event.headers.import;
  if (contentSha256 === standing) return 'replayed';
  const named = sourceEventId === undefined ? event.id : quote(sourceEventId);
  return { refused: `the id ${named} stands already with other content` };
}

/** Foreign text on a terminal: nothing but printable ASCII. */
function quote(text: string): string {
  return JSON.stringify(text.slice(0, 100)).replace(
    /[^\x20-\x7e]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

const RETRY_DELAYS_MS = [100, 500, 2_000];

/** A deadlock or a failover is over soon. An append that stood all the same is a replay the next time. */
async function withRetry<T>(call: () => Promise<T>): Promise<T> {
  for (const delayMs of RETRY_DELAYS_MS) {
    try {
      return await call();
    } catch (error) {
      if (!isIntegrationError(error) || error.code !== 'STORE.UNAVAILABLE') throw error;
      await delay(delayMs);
    }
  }
  return call();
}
