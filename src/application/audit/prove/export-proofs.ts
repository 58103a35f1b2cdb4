import { leafFields } from '../../../domain/audit/leaf.js';
import type { LogTree } from '../log/log-tree.js';
import { type CheckpointStore, LogBrokenError } from '../log/ports.js';
import { findErasedNotes } from './find-erased-notes.js';
import type { ProvableFilter, ProvableRecord, ProvableStore } from './ports.js';
import { type Proof, proveRecords } from './prove-records.js';

export interface ExportProofsDeps {
  readonly store: ProvableStore;
  readonly checkpoints: Pick<CheckpointStore, 'readNewest'>;
  readonly tree: LogTree;
}

export class NothingSignedError extends Error {
  override readonly name = 'NothingSignedError';
}

const PAGE = 500;

/**
 * The lines of an export that proves itself (`src/offline/outbox-verify.mts` reads it): one checkpoint first, then each
 * record with its index and proof against it, then how many there were. A note that records were erased stands once, before
 * the first of them. Records that are not in that checkpoint's tree yet are left out. One page is in memory at a time, and of
 * erased records what `findErasedNotes` keeps. Throws NothingSignedError, LogBrokenError, StoreUnavailableError.
 */
export async function* exportProofs(deps: ExportProofsDeps, filter: ProvableFilter): AsyncGenerator<string> {
  const { store, checkpoints } = deps;
  const checkpoint = await checkpoints.readNewest();
  if (checkpoint === null)
    throw new NothingSignedError('nothing is signed yet: there is no checkpoint to prove against');
  yield JSON.stringify({ type: 'checkpoint', note: checkpoint.note });
  const prove = proveRecords(deps, checkpoint.size);
  const findNote = findErasedNotes(store);
  const told = new Set<string>();
  let records = 0;
  for (let behind: ProvableRecord | null = null; ; ) {
    const page: readonly ProvableRecord[] = await store.readPage(filter, behind, PAGE);
    const proofs = await prove(page);
    for (const [at, record] of page.entries()) {
      const proof = proofs[at] ?? null;
      if (proof === null) continue;
      if (record.leaf === null) {
        const id = await findNote(record);
        const note = id === null || told.has(id) ? null : await store.readNote(id);
        if (id === null || (note === null && !told.has(id))) {
          throw new LogBrokenError(`expected a note that record ${record.recordId} was erased, found none`);
        }
        if (note !== null) yield JSON.stringify({ type: 'note', note });
        told.add(id);
      }
      yield lineOf(record, proof);
      records += 1;
    }
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) break;
    behind = last;
  }
  yield JSON.stringify({ type: 'end', records });
}

function lineOf({ recordId, recordedAt, leafHash, leaf }: ProvableRecord, { index, hashes }: Proof): string {
  const proof = hashes.map(toBase64);
  if (leaf !== null) return JSON.stringify({ type: 'record', index, proof, leaf: leafFields(leaf) });
  return JSON.stringify({ type: 'erased', index, proof, recordId, recordedAt, hash: toBase64(leafHash) });
}

/** As the domain's, by Node itself: an export is mostly hashes, some twenty a record. */
function toBase64({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('base64');
}
