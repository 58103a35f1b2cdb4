import { sameBytes } from '../../../domain/audit/merkle-hash.js';
import type { KnownExcuses } from './known-excuses.js';
import { type Mismatch, matchWindow } from './match-window.js';
import type { Excuses } from './open-notes.js';
import type { VerifyStore } from './ports.js';
import { readRow, type SeenRow } from './read-row.js';
import { comparePlaces, type SealedWindow } from './read-windows.js';
import { type Findings, MOST_NAMED } from './report.js';

export interface CheckRowsDeps {
  readonly store: VerifyStore;
  readonly findings: Findings;
  readonly excuses: KnownExcuses;
}

/** What was seen of a window's records. */
export interface WindowTally {
  readonly records: number;
  readonly erased: number;
  readonly dropped: number;
  readonly seen: readonly SeenRow[];
}

/** Rows read at once; fewer where they are large. */
const MOST_ROWS = 500;
const PAGE_BYTES = 8_000_000;

/**
 * The records of a window against its sealed hashes. Before anything is named, the notes are read that may account for it:
 * behind the rows, since a record may have been erased, or a month dropped, a moment ago.
 */
export async function checkRows(deps: CheckRowsDeps, window: SealedWindow): Promise<WindowTally> {
  const rows = await readRows(deps.store, window);
  let excuses = deps.excuses.now();
  let mismatches = judge(window, rows, excuses);
  if (mismatches.length > 0) {
    excuses = await deps.excuses.read();
    mismatches = judge(window, rows, excuses);
  }
  await name(deps, window, mismatches);
  const there = new Set(rows.map(({ hash }) => (hash === null ? '' : Buffer.from(hash).toString('base64'))));
  const dropped = window.hashes.filter(
    (hash, at) => excuses.isDropped(window.first + at) && !there.has(Buffer.from(hash).toString('base64')),
  ).length;
  return { records: rows.length, erased: rows.filter(({ erased }) => erased).length, dropped, seen: rows };
}

async function readRows(store: VerifyStore, { after, upTo }: SealedWindow): Promise<SeenRow[]> {
  const seen: SeenRow[] = [];
  let limit = MOST_ROWS;
  for (let behind = after; ; ) {
    const page = await store.readRows(behind, upTo, limit);
    const bytes = page.reduce((sum, { body }) => sum + body.length, 1);
    for (const row of page) seen.push(readRow(row));
    const last = page.at(-1);
    if (last === undefined || page.length < limit) return seen;
    behind = last.place;
    limit = Math.max(1, Math.min(MOST_ROWS, Math.floor((page.length * PAGE_BYTES) / bytes)));
  }
}

type Judged = Mismatch | { readonly kind: 'erased'; readonly index: number; readonly row: SeenRow } | EndMismatch;
type EndMismatch = { readonly kind: 'seal'; readonly index: number; readonly row: SeenRow };

function judge(window: SealedWindow, rows: readonly SeenRow[], excuses: Excuses): Judged[] {
  const { first, hashes, ends } = window;
  const found: Judged[] = matchWindow({ first, hashes, rows }, excuses.isDropped);
  // A seal's last place is what divides records among seals: of a seal without other mismatch it must be its record's.
  if (found.length === 0 && rows.length === hashes.length) {
    for (const [at, place] of ends) {
      const row = rows[at] as SeenRow;
      if (comparePlaces(row.place, place) !== 0) found.push({ kind: 'seal', index: first + at, row });
    }
  }
  for (const row of rows) {
    if (!row.erased || row.hash === null) continue;
    const named = excuses.erasedHash(row.recordId);
    if (named === null || !sameBytes(named, row.hash)) {
      found.push({ kind: 'erased', index: first + indexOf(hashes, row.hash), row });
    }
  }
  return found;
}

async function name(
  { store, findings }: CheckRowsDeps,
  window: SealedWindow,
  mismatches: readonly Judged[],
): Promise<void> {
  const missing = mismatches.filter((one) => one.kind === 'missing').slice(0, MOST_NAMED);
  const known = missing.length === 0 ? [] : await store.findByLeafHash(missing.map(({ hash }) => hash));
  let spare = window.gap;
  for (const one of mismatches) {
    const { kind, index } = one;
    switch (kind) {
      case 'missing': {
        const identity = known.find(({ leafHash }) => sameBytes(leafHash, one.hash));
        const recordId = identity?.recordId ?? null;
        const what = identity?.stands
          ? 'expected the record among those sealed with it, found it at another place in the order'
          : `expected the record, found none${identity === undefined ? ', nor its identity' : ''}`;
        findings.add({ kind: identity?.stands ? 'moved' : 'deleted', index, recordId, what });
        break;
      }
      case 'inserted':
        // Records of a seal that is gone lie before the next one's; that it is gone was named.
        if (spare > 0 && one.row.differences.length === 0) spare -= 1;
        else {
          const what = `expected none here before leaf ${index}: it was never sealed`;
          findings.add({ kind, index, recordId: one.row.recordId, what });
        }
        break;
      case 'edited':
      case 'moved':
        findings.add({ kind, index, recordId: idOf(one.row, window.hashes[index - window.first]), what: one.what });
        break;
      case 'seal': {
        const what = "expected the seal's last place to be that of its last record";
        findings.add({ kind, index, recordId: one.row.recordId, what });
        break;
      }
      case 'erased': {
        const what = 'expected a signed note that it was erased, found none with its id and hash';
        findings.add({ kind, index, recordId: one.row.recordId, what });
        break;
      }
      default:
        assertNever(one);
    }
  }
}

/** Whose leaf was sealed: of a row whose id was edited its identity knows. */
function idOf(row: SeenRow, sealed: Uint8Array | undefined): string {
  const isLeaf = row.hash !== null && sealed !== undefined && sameBytes(row.hash, sealed);
  return isLeaf ? row.recordId : (row.keyRecordId ?? row.recordId);
}

function indexOf(hashes: readonly Uint8Array[], hash: Uint8Array): number {
  return Math.max(
    0,
    hashes.findIndex((sealed) => sameBytes(sealed, hash)),
  );
}

function assertNever(value: never): never {
  throw new Error(`unexpected mismatch: ${JSON.stringify(value)}`);
}
