import type { DroppedNote } from '../../../domain/audit/audit-note.js';
import { formatAuditNote } from '../../../domain/audit/audit-note.js';
import { signNote } from '../../../domain/audit/signed-note.js';
import type { LogKeys } from '../log/log-keys.js';
import { NOTE_TOOLS } from '../log/note-tools.js';
import type { Anchor } from '../log/ports.js';
import { digestOf, fits } from '../verify/check-identities.js';
import { heedSignal } from '../verify/heed-signal.js';
import { knowExcuses } from '../verify/known-excuses.js';
import { noteReader } from '../verify/open-notes.js';
import type { VerifyStore } from '../verify/ports.js';
import { comparePlaces } from '../verify/read-windows.js';
import { dueMonths } from './months.js';
import type { RetentionStore } from './ports.js';
import { scanPartition } from './scan-partition.js';

export interface RetainRecordsDeps {
  readonly store: RetentionStore;
  readonly verify: VerifyStore;
  readonly keys: LogKeys;
  /** What is not anchored is never dropped, so there is none without an anchor. */
  readonly anchor: Pick<Anchor, 'put' | 'readAll'>;
  readonly now: () => Date;
}

export interface RetentionRequest {
  /** Months that records are kept after the one in which they were recorded; at least 1. */
  readonly months: number;
  readonly dryRun: boolean;
}

export interface PartitionOutcome {
  readonly partition: string;
  /**
   * - `dropped`, or `due` of a dry run: whole, sealed and anchored.
   * - `unproven`: not all of it is sealed below an anchored checkpoint yet.
   * - `broken`: something is not as it was sealed; `outbox audit verify` says the rest. It is never dropped.
   * - `busy`: the table could not be had for a moment; the next turn tries again.
   */
  readonly kind: 'dropped' | 'due' | 'unproven' | 'broken' | 'busy';
  readonly rows: number;
  readonly what: string | null;
}

/**
 * Drops the months that are past keeping, each under a signed note that names its leaves and says what their identities
 * were, which nothing else proves behind the drop. First every row is compared with its seal, without a lock; then the note
 * is signed and goes to the anchor; then note and drop are one transaction. Nothing that does not fit is ever dropped: what
 * was edited would be gone, and its proof with it. Throws StoreUnavailableError, AnchorUnavailableError, and the signal's
 * reason: before a note is signed at once, whatever is being read.
 */
export function retainRecords({ store, keys, anchor, now, ...deps }: RetainRecordsDeps) {
  return async ({ months, dryRun }: RetentionRequest, signal?: AbortSignal): Promise<readonly PartitionOutcome[]> => {
    const verify = heedSignal(deps.verify, signal);
    const outcomes: PartitionOutcome[] = [];
    const due = dueMonths(await store.listPartitions(), now(), months);
    const reader = noteReader(NOTE_TOOLS, keys);
    const excuses = knowExcuses({ store: verify, anchor, reader });
    for (const partition of due) {
      signal?.throwIfAborted();
      const { places } = await store.look(partition);
      const end = await store.readAnchoredPlace();
      if (places !== null && (end === null || comparePlaces(places.last, end) > 0)) {
        outcomes.push({ partition, kind: 'unproven', rows: 0, what: 'not all of it is sealed and anchored' });
        continue;
      }
      const scan =
        places === null
          ? ({ kind: 'sound', rows: 0, runs: [] } as const)
          : await scanPartition(verify, excuses, partition, places, signal);
      const standing = await store.countRows(partition);
      if (scan.kind === 'broken' || scan.rows !== standing) {
        const what =
          scan.kind === 'broken'
            ? `leaf ${scan.first?.index}: ${scan.first?.what}`
            : `expected ${standing} sealed records, found ${scan.rows}`;
        outcomes.push({ partition, kind: 'broken', rows: standing, what });
        continue;
      }
      const { rows, runs } = scan;
      const identities = await verify.compareKeys(partition, runs);
      if (!fits(identities)) {
        const { missing, extra } = identities;
        const what = `expected the identities of its records, found ${missing.count} missing and ${extra.count} others`;
        outcomes.push({ partition, kind: 'broken', rows: standing, what });
        continue;
      }
      if (dryRun) {
        outcomes.push({ partition, kind: 'due', rows, what: null });
        continue;
      }
      const note: DroppedNote = {
        kind: 'dropped',
        log: keys.base,
        time: now().toISOString(),
        by: 'retention',
        reason: `kept for ${months} months`,
        partition,
        rows,
        identities: digestOf(NOTE_TOOLS.sha256, identities),
        runs,
      };
      const signed = signNote(NOTE_TOOLS, formatAuditNote(note), keys.signers);
      await anchor.put({ kind: 'dropped', origin: keys.base, size: 0, note: signed });
      outcomes.push({ partition, kind: await store.drop(partition, signed), rows, what: null });
    }
    return outcomes;
  };
}
