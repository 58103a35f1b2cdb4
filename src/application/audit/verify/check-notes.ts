import type { Sha256 } from '../../../domain/audit/merkle-hash.js';
import { createLogTree } from '../log/log-tree.js';
import type { LeafStore } from '../log/ports.js';
import { hasRoot } from './check-anchor.js';
import type { KnownExcuses } from './known-excuses.js';
import { type NoteReader, openRows } from './open-notes.js';
import type { VerifyStore } from './ports.js';
import type { Findings } from './report.js';

export interface CheckNotesDeps {
  readonly store: VerifyStore;
  readonly findings: Findings;
  readonly reader: NoteReader;
  readonly excuses: KnownExcuses;
  readonly roots: LeafStore;
  readonly sha256: Sha256;
}

const AT_ONCE = 1_000;

/**
 * The notes themselves, and what they promise: whoever was erased stays erased (a restore brings him back, and the anchor's
 * note outlives it), a branch begins at a size that the tree has, records and seals are of known epochs, and no tile stands
 * before its leaves.
 */
export async function checkNotes(deps: CheckNotesDeps): Promise<void> {
  const { store, findings } = deps;
  const standing = await store.readBranches();
  // Behind the branches: the note that begins one is there before its first checkpoint.
  const excuses = await deps.excuses.read();
  for (const { id, why } of openRows(deps.reader, await store.readNotes()).broken) {
    findings.add({ kind: 'note', index: null, recordId: null, what: `note ${id}: ${why}` });
  }
  const erased = [...excuses.erased.keys()];
  for (let at = 0; at < erased.length; at += AT_ONCE) {
    for (const recordId of await store.findNotErased(erased.slice(at, at + AT_ONCE))) {
      const what = 'a signed note says that it was erased, found it whole: erase it again';
      findings.add({ kind: 'not_erased', index: null, recordId, what });
    }
  }
  const size = (await store.readHead())?.size ?? 0;
  const tree = createLogTree({ store: deps.roots, sha256: deps.sha256 });
  for (const { branch, kept } of excuses.branches) {
    if (kept.size <= size && (await hasRoot(tree, kept.size, kept.root))) continue;
    const what = `branch ${branch}: expected the tree to go on from size ${kept.size} with the root that its note names`;
    findings.add({ kind: 'root', index: null, recordId: null, what });
  }
  for (const branch of standing) {
    if (branch === 1 || excuses.branches.some((note) => note.branch === branch)) continue;
    const what = `checkpoints of branch ${branch}: expected a signed note that begins it, found none`;
    findings.add({ kind: 'checkpoint', index: null, recordId: null, what });
  }
  const epochs = new Set(await store.readEpochs());
  for (const { epoch, firstIndex } of await store.readSealEpochs()) {
    if (epochs.has(epoch)) continue;
    findings.add({
      kind: 'epoch',
      index: firstIndex,
      recordId: null,
      what: `epoch ${epoch}: expected its row, found none`,
    });
  }
  for (const { level, index } of await store.findEarlyTiles()) {
    const what = `tile ${index} of level ${level}: expected none, its leaves are not sealed`;
    findings.add({ kind: 'tile', index: null, recordId: null, what });
  }
}
