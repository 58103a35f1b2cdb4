import { toBase64 } from '../../../domain/audit/base64.js';
import { leafFields } from '../../../domain/audit/leaf.js';
import type { Sha256 } from '../../../domain/audit/merkle-hash.js';
import type { LogTree } from '../log/log-tree.js';
import { type CheckpointStore, LogBrokenError } from '../log/ports.js';
import type { ProvableFilter, ProvableRecord, ProvableStore } from './ports.js';
import { type Proof, proveRecords } from './prove-records.js';

export interface ExportProofsDeps {
  readonly store: ProvableStore;
  readonly checkpoints: Pick<CheckpointStore, 'readNewest' | 'readNotes'>;
  readonly tree: LogTree;
  readonly sha256: Sha256;
}

export class NothingSignedError extends Error {
  override readonly name = 'NothingSignedError';
}

const PAGE = 500;

/**
 * The lines of an export that proves itself (`src/offline/outbox-verify.mts` reads it): one checkpoint first, then each
 * record with its index and proof against it, then how many there were. Records that are not in that checkpoint's tree yet
 * are left out. One page is in memory at a time. Throws NothingSignedError, LogBrokenError, StoreUnavailableError.
 */
export async function* exportProofs(deps: ExportProofsDeps, filter: ProvableFilter): AsyncGenerator<string> {
  const { store, checkpoints } = deps;
  const checkpoint = await checkpoints.readNewest();
  if (checkpoint === null)
    throw new NothingSignedError('nothing is signed yet: there is no checkpoint to prove against');
  yield JSON.stringify({ type: 'checkpoint', note: checkpoint.note });
  const prove = proveRecords(deps, checkpoint.size);
  let records = 0;
  for (let behind: string | null = null; ; ) {
    const page = await store.readPage(filter, behind, PAGE);
    const proofs = await prove(page);
    const notes = page.some(({ leaf }) => leaf === null) ? await checkpoints.readNotes('erased') : [];
    for (const [at, record] of page.entries()) {
      const proof = proofs[at] ?? null;
      if (proof === null) continue;
      yield lineOf(record, proof, notes);
      records += 1;
    }
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) break;
    behind = last.recordId;
  }
  yield JSON.stringify({ type: 'end', records });
}

function lineOf(record: ProvableRecord, { index, hashes }: Proof, notes: readonly string[]): string {
  const { recordId, recordedAt, leafHash, leaf } = record;
  const proof = hashes.map(toBase64);
  if (leaf !== null) return JSON.stringify({ type: 'record', index, proof, leaf: leafFields(leaf) });
  const hash = toBase64(leafHash);
  const note = notes.find((text) => text.includes(`\nrecord ${recordId} ${hash}\n`));
  if (note === undefined) throw new LogBrokenError(`expected a note that record ${recordId} was erased, found none`);
  return JSON.stringify({ type: 'erased', index, proof, recordId, recordedAt, hash, note });
}
