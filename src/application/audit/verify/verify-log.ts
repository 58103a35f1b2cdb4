import type { AuditNote } from '../../../domain/audit/audit-note.js';
import type { NoteTools } from '../../../domain/audit/note-key.js';
import type { Anchor, LeafStore } from '../log/ports.js';
import { checkAnchor, isLossAccepted, readAnchoredNotes } from './check-anchor.js';
import { checkNotes } from './check-notes.js';
import { checkRows } from './check-rows.js';
import { checkTree } from './check-tree.js';
import { checkUnsealed } from './check-unsealed.js';
import { type Excuses, excusesOf, type KnownKeys, noteReader, openRows } from './open-notes.js';
import type { VerifyStore } from './ports.js';
import { readWindows } from './read-windows.js';
import { collectFindings, type VerifyReport } from './report.js';

export interface VerifyLogDeps {
  readonly store: VerifyStore;
  readonly leaves: LeafStore;
  readonly tools: NoteTools;
  readonly keys: KnownKeys;
  /** null: none is given, and a log that was truncated or restored with all it holds cannot be told. */
  readonly anchor: Pick<Anchor, 'readAll'> | null;
}

export interface VerifyRange {
  /** The first leaf. Default 0. */
  readonly from?: number;
  /** Behind the last leaf. Default: all that is sealed. */
  readonly to?: number;
}

export interface VerifyProgress {
  readonly phase: 'log' | 'identities' | 'anchor';
  /** Leaves. */
  readonly done: number;
  readonly of: number;
}

export type VerifyLog = (
  range: VerifyRange,
  options?: { readonly signal?: AbortSignal; readonly onProgress?: (progress: VerifyProgress) => void },
) => Promise<VerifyReport>;

/**
 * Whether the records are those that were sealed and signed: every row is made into its leaf again, every leaf compared
 * with its sealed hash, the tree over the hashes with every signed root, stored and anchored. Reads only, a few thousand
 * rows at a time, beside writers, erasures and retention: before anything is named, the notes that may account for it are
 * read again.
 *
 * A range widens to whole seals and on to the next signed size; below it tiles are taken as they stand, and are proven by
 * that size's root. Throws StoreUnavailableError, AnchorUnavailableError, and the signal's reason.
 */
export function verifyLog(deps: VerifyLogDeps): VerifyLog {
  const { store, leaves, tools, keys, anchor } = deps;
  const { sha256 } = tools;
  return async (range, { signal, onProgress = () => undefined } = {}) => {
    const findings = collectFindings();
    const reader = noteReader(tools, keys);
    const anchored: readonly AuditNote[] = anchor === null ? [] : (await readAnchoredNotes(anchor, reader)).notes;
    const readExcuses = async (): Promise<Excuses> => {
      // Partitions first: one that is dropped between the two reads has its note in the second.
      const partitions = await store.readPartitions();
      return excusesOf([...openRows(reader, await store.readNotes()).notes, ...anchored], partitions);
    };
    let excuses = await readExcuses();
    const isAccepted = (branch: number, size: number) => isLossAccepted(excuses.branches, branch, size);

    const head = await store.readHead();
    const size = head?.size ?? 0;
    const from = Math.min(range.from ?? 0, size);
    const to = Math.min(range.to ?? size, size);
    const whole = from === 0 && to === size;
    const begin = from === 0 ? null : await store.findSeal(from);
    const start = begin?.firstIndex ?? 0;
    const newest = await store.readNewestSize();
    const tree = await checkTree(
      { store, leaves, sha256, reader, findings, isAccepted },
      start,
      Math.min(newest, size),
    );

    const seen = { records: 0, erased: 0, dropped: 0 };
    const rowsDeps = {
      store,
      findings,
      excuses: () => excuses,
      readExcuses: async () => {
        excuses = await readExcuses();
        return excuses;
      },
    };
    const windows = { start, end: size, after: begin?.after ?? null, divideAt: to };
    for await (const window of readWindows({ store, findings }, windows)) {
      signal?.throwIfAborted();
      if (window.first < to) {
        const tally = await checkRows(rowsDeps, window);
        seen.records += tally.records;
        seen.erased += tally.erased;
        seen.dropped += tally.dropped;
      }
      if (window.gap > 0) tree.lose(window.gap);
      await tree.append(window.hashes);
      onProgress({ phase: 'log', done: tree.size() - start, of: (whole ? size : to) - start });
      if (tree.size() >= to && tree.signedSize() >= to) break;
    }

    let pending = 0;
    if (whole) {
      await tree.end();
      onProgress({ phase: 'identities', done: size, of: size });
      pending = await checkUnsealed({ store, findings }, head?.place ?? null, excuses);
      signal?.throwIfAborted();
      await checkNotes({ store, findings, reader, excuses, roots: leaves, sha256 });
    }
    let anchoredSize: number | null = null;
    if (anchor !== null) {
      onProgress({ phase: 'anchor', done: size, of: size });
      const anchorDeps = { store, leaves, sha256, reader, findings, keys, branches: excuses.branches };
      anchoredSize = await checkAnchor(anchorDeps, anchor, { signedTo: tree.signedSize(), from: start });
    }
    const breaks = findings.named();
    return {
      size,
      from: start,
      to,
      ...seen,
      pending,
      signedSize: tree.signedSize(),
      anchoredSize,
      acceptedLosses: excuses.branches.map(
        ({ branch, kept, lost, by, time }) =>
          `leaves ${kept.size} to ${lost.size - 1} of branch ${lost.branch}, given up by ${by} at ${time}; branch ${branch} goes on`,
      ),
      counts: findings.counts(),
      first: breaks[0] ?? null,
      breaks,
    };
  };
}
