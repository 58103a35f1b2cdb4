import type { NoteTools } from '../../../domain/audit/note-key.js';
import type { Anchor, LeafStore } from '../log/ports.js';
import { checkAnchor, checkLatestAnchored, readAnchored, readLatestAnchored } from './check-anchor.js';
import { checkIdentities } from './check-identities.js';
import { checkNotes } from './check-notes.js';
import { checkRows } from './check-rows.js';
import { checkTree } from './check-tree.js';
import { checkUnsealed } from './check-unsealed.js';
import { heedSignal, heedSignalOfAnchor } from './heed-signal.js';
import { knowExcuses } from './known-excuses.js';
import { type KnownKeys, noteReader } from './open-notes.js';
import type { VerifyStore } from './ports.js';
import { readWindows } from './read-windows.js';
import { collectFindings, type VerifyReport } from './report.js';

export interface VerifyLogDeps {
  readonly store: VerifyStore;
  readonly leaves: LeafStore;
  readonly tools: NoteTools;
  readonly keys: KnownKeys;
  /** null: none is given, and a log that was truncated or restored with all it holds cannot be told. */
  readonly anchor: Pick<Anchor, 'readAll' | 'readBack'> | null;
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
 * A range is a look, which costs what the range holds, however long the log is. It widens to whole seals; what they lead to
 * is compared with the next signed size and with the newest anchored one. Tiles before and behind are taken as they stand:
 * a false one makes those roots wrong, and never right. Of the notes it reads what it needs to account for what it finds.
 *
 * Throws StoreUnavailableError, AnchorUnavailableError, and the signal's reason, at once whatever is being read.
 */
export function verifyLog(deps: VerifyLogDeps): VerifyLog {
  return async (range, { signal, onProgress = () => undefined } = {}) => {
    const store = heedSignal(deps.store, signal);
    const leaves = heedSignal(deps.leaves, signal);
    const anchor = deps.anchor === null ? null : heedSignalOfAnchor(deps.anchor, signal);
    const { sha256 } = deps.tools;
    const { keys } = deps;
    const findings = collectFindings();
    const reader = noteReader(deps.tools, keys);
    const excuses = knowExcuses({ store, anchor, reader });

    const head = await store.readHead();
    const size = head?.size ?? 0;
    const from = Math.min(range.from ?? 0, size);
    const to = Math.min(range.to ?? size, size);
    const whole = from === 0 && to === size;
    await (whole ? excuses.read() : excuses.readBranches());
    const latest = whole || anchor === null ? [] : await readLatestAnchored({ reader, keys }, anchor);
    const begin = from === 0 ? null : await store.findSeal(from);
    const start = begin?.firstIndex ?? 0;
    const newest = await store.readNewestSize();
    const tree = await checkTree(
      { store, leaves, sha256, reader, findings, excuses },
      { start, tilesTo: Math.min(newest, size), keep: latest.map(({ signed }) => signed.size) },
    );

    const seen = { records: 0, erased: 0, dropped: 0 };
    for await (const window of readWindows({ store, findings }, { start, end: to, after: begin?.after ?? null })) {
      const tally = await checkRows({ store, findings, excuses }, window);
      seen.records += tally.records;
      seen.erased += tally.erased;
      seen.dropped += tally.dropped;
      if (window.gap > 0) tree.lose(window.gap);
      await tree.append(window.hashes);
      onProgress({ phase: 'log', done: tree.size() - start, of: to - start });
    }

    let pending = 0;
    if (whole) {
      await tree.end();
      onProgress({ phase: 'identities', done: size, of: size });
      pending = await checkUnsealed({ store, findings }, head?.place ?? null);
      await checkIdentities({ store, findings, excuses, sha256 });
      await checkNotes({ store, findings, reader, excuses, roots: leaves, sha256 });
    } else {
      await tree.signNext();
    }
    let anchoredSize: number | null = null;
    if (anchor !== null) {
      onProgress({ phase: 'anchor', done: size, of: size });
      const anchorDeps = { store, leaves, sha256, findings, excuses };
      anchoredSize = whole
        ? await checkAnchor(anchorDeps, readAnchored({ reader, keys }, anchor.readAll()), tree.signedSize())
        : await checkLatestAnchored(anchorDeps, latest, { from: start, rootAt: tree.rootAt });
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
      acceptedLosses: excuses
        .now()
        .branches.map(
          ({ branch, kept, lost, by, time }) =>
            `leaves ${kept.size} to ${lost.size - 1} of branch ${lost.branch}, given up by ${by} at ${time}; branch ${branch} goes on`,
        ),
      counts: findings.counts(),
      first: breaks[0] ?? null,
      breaks,
    };
  };
}
