/**
 * The Merkle tree against the published vectors (shared/data/vectors, of transparency-dev/merkle; without them those tests
 * say so and pass by) and against a tree that is computed the plain way, from all leaves. Nothing is fake.
 */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { sha256 } from '../../src/application/audit/log/note-tools.js';
import { compactRange } from '../../src/domain/audit/compact-range.js';
import { emptyRoot, hashLeaf, hashNode } from '../../src/domain/audit/merkle-hash.js';
import { verifyConsistency, verifyInclusion } from '../../src/domain/audit/merkle-proof.js';
import {
  consistencySubtrees,
  inclusionSubtrees,
  joinSubtrees,
  rootSubtrees,
  type Subtree,
  subtreesBehind,
} from '../../src/domain/audit/merkle-tree.js';

const folder = `${process.env.OUTBOX_VECTORS_DIR ?? fileURLToPath(new URL('../../../shared/data/vectors', import.meta.url))}/merkle`;
const present = existsSync(folder);
if (!present) console.warn(`SKIPPED: no vectors at ${folder}; OUTBOX_VECTORS_DIR names another folder`);
const read = <T>(name: string, none: T): T =>
  present ? JSON.parse(readFileSync(`${folder}/${name}.json`, 'utf8')) : none;

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));
const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

interface Trees {
  readonly leaf_inputs_hex: readonly string[];
  readonly leaf_hashes_hex: readonly string[];
  readonly node_hashes_hex_by_level: readonly (readonly string[])[];
  readonly roots_hex_by_tree_size: readonly string[];
}
interface Probe {
  readonly file: string;
  readonly proof_hex: readonly string[] | null;
  readonly want_error: boolean;
}
interface InclusionProbe extends Probe {
  readonly leaf_index: string;
  readonly tree_size: string;
  readonly root_hex: string;
  readonly leaf_hash_hex: string;
}
interface ConsistencyProbe extends Probe {
  readonly size1: string;
  readonly size2: string;
  readonly root1_hex: string;
  readonly root2_hex: string;
}

(present ? describe : describe.skip)('the published vectors', () => {
  const trees = read<Trees | null>('tree-sizes-0-8', null);
  const inclusion = read<InclusionProbe[]>('inclusion-probes', []);
  const consistency = read<ConsistencyProbe[]>('consistency-probes', []);

  it('leaves, nodes and the roots of sizes 0 to 8', () => {
    const { leaf_inputs_hex, leaf_hashes_hex, node_hashes_hex_by_level, roots_hex_by_tree_size } = trees as Trees;
    expect(leaf_inputs_hex.map((leaf) => toHex(hashLeaf(sha256, hex(leaf))))).toEqual(leaf_hashes_hex);
    const nodes = (node_hashes_hex_by_level[0] as string[]).map((_, i, level) =>
      i % 2 === 0 ? toHex(hashNode(sha256, hex(level[i] as string), hex(level[i + 1] as string))) : null,
    );
    expect(nodes.filter((node) => node !== null)).toEqual(node_hashes_hex_by_level[1]);
    const range = compactRange(sha256);
    const roots = [toHex(range.root())];
    for (const leaf of leaf_hashes_hex) {
      range.append(hex(leaf));
      roots.push(toHex(range.root()));
    }
    expect(roots).toEqual(roots_hex_by_tree_size);
  });

  it('every inclusion probe', () => {
    expect(inclusion.length).toBeGreaterThan(90);
    const verdicts = inclusion.map(({ file, leaf_index, tree_size, root_hex, leaf_hash_hex, proof_hex }) => ({
      file,
      accepted: verifyInclusion(sha256, {
        index: Number(leaf_index),
        size: Number(tree_size),
        root: hex(root_hex),
        leafHash: hex(leaf_hash_hex),
        proof: (proof_hex ?? []).map(hex),
      }),
    }));
    expect(verdicts).toEqual(inclusion.map(({ file, want_error }) => ({ file, accepted: !want_error })));
  });

  it('every consistency probe; those from size 0 are refused, as there', () => {
    expect(consistency.length).toBeGreaterThan(90);
    const verdicts = consistency.map(({ file, size1, size2, root1_hex, root2_hex, proof_hex }) => ({
      file,
      accepted: verifyConsistency(sha256, {
        from: Number(size1),
        to: Number(size2),
        fromRoot: hex(root1_hex),
        toRoot: hex(root2_hex),
        proof: (proof_hex ?? []).map(hex),
      }),
    }));
    expect(verdicts).toEqual(consistency.map(({ file, want_error }) => ({ file, accepted: !want_error })));
  });
});

const MOST = 66;
const leaves = Array.from({ length: MOST }, (_, i) => hashLeaf(sha256, Uint8Array.of(i)));

/** RFC 9162 §2.1.1 as it is written. */
function plainRoot(hashes: readonly Uint8Array[]): Uint8Array {
  if (hashes.length <= 1) return hashes[0] ?? emptyRoot(sha256);
  let split = 1;
  while (split * 2 < hashes.length) split *= 2;
  return hashNode(sha256, plainRoot(hashes.slice(0, split)), plainRoot(hashes.slice(split)));
}

/** Each range is computed once: the tests below ask for the same ones thousands of times. */
const known = new Map<string, Uint8Array>();
function rangeRoot(begin: number, end: number): Uint8Array {
  const standing = known.get(`${begin}-${end}`);
  if (standing !== undefined) return standing;
  const root = plainRoot(leaves.slice(begin, end));
  known.set(`${begin}-${end}`, root);
  return root;
}

const rootOf = (size: number): Uint8Array => rangeRoot(0, size);
const readSubtree = ({ level, index }: Subtree): Uint8Array => {
  if ((index + 1) * 2 ** level > MOST) throw new Error('expected a complete subtree');
  return rangeRoot(index * 2 ** level, (index + 1) * 2 ** level);
};
const join = (subtrees: readonly Subtree[]): Uint8Array => joinSubtrees(sha256, subtrees.map(readSubtree));

const size = fc.integer({ min: 1, max: MOST });
const place = size.chain((to) => fc.record({ to: fc.constant(to), at: fc.integer({ min: 0, max: to - 1 }) }));

/** Every way to change one thing of a proof that must matter. */
function tampered(proof: readonly Uint8Array[], bit: number): Uint8Array[][] {
  const flip = (hash: Uint8Array) => hash.map((byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
  return [
    ...proof.map((hash, at) => proof.with(at, flip(hash))),
    ...proof.map((_, at) => proof.toSpliced(at, 1)),
    ...[...proof, null].map((_, at) => proof.toSpliced(at, 0, leaves[0] as Uint8Array)),
    ...proof.slice(1).map((hash, at) => proof.with(at, hash).with(at + 1, proof[at] as Uint8Array)),
    ...proof.map((hash, at) => proof.with(at, hash.subarray(1))),
  ];
}

describe('against the tree computed from all leaves', () => {
  it('the root of every size, joined from complete subtrees or streamed', () => {
    const range = compactRange(sha256);
    for (let to = 0; to <= MOST; to++) {
      expect(join(rootSubtrees(to))).toEqual(rootOf(to));
      expect(range.size()).toBe(to);
      expect(range.root()).toEqual(rootOf(to));
      expect(range.roots()).toEqual(rootSubtrees(to).map(readSubtree));
      if (to < MOST) range.append(leaves[to] as Uint8Array);
    }
  });

  it('whole subtrees may be added: from every size to every later one', () => {
    for (let from = 0; from <= MOST; from++) {
      for (let to = from; to <= MOST; to++) {
        const range = compactRange(sha256, { size: from, roots: rootSubtrees(from).map(readSubtree) });
        for (const subtree of subtreesBehind(from, to)) range.appendSubtree(subtree, readSubtree(subtree));
        expect(range.size()).toBe(to);
        expect(toHex(range.root())).toBe(toHex(rootOf(to)));
      }
    }
    const range = compactRange(sha256, { size: 3, roots: rootSubtrees(3).map(readSubtree) });
    expect(() => range.appendSubtree({ level: 1, index: 1 }, readSubtree({ level: 1, index: 1 }))).toThrow(RangeError);
    expect(() => subtreesBehind(3, 2)).toThrow(RangeError);
  });

  it('streaming may begin anywhere, and tells each subtree when it is full', () => {
    for (let from = 0; from <= MOST; from++) {
      const told: Subtree[] = [];
      const start = { size: from, roots: rootSubtrees(from).map(readSubtree) };
      const range = compactRange(sha256, start, (subtree, root) => {
        told.push(subtree);
        expect(root).toEqual(readSubtree(subtree));
      });
      for (const leaf of leaves.slice(from)) range.append(leaf);
      expect(range.root()).toEqual(rootOf(MOST));
      const levels = [1, 2, 3, 4, 5, 6];
      const full = levels.flatMap((level) =>
        Array.from({ length: Math.floor(MOST / 2 ** level) }, (_, index) => ({ level, index })).filter(
          ({ index }) => (index + 1) * 2 ** level > from,
        ),
      );
      expect(new Set(told.map((subtree) => JSON.stringify(subtree)))).toEqual(
        new Set(full.map((subtree) => JSON.stringify(subtree))),
      );
      expect(told).toHaveLength(full.length);
    }
  });

  it('every index of every size proves; no other index, size, leaf or root does', () => {
    for (let to = 1; to <= MOST; to++) {
      for (let at = 0; at < to; at++) {
        const claim = {
          index: at,
          size: to,
          leafHash: leaves[at] as Uint8Array,
          proof: inclusionSubtrees(at, to).map(join),
          root: rootOf(to),
        };
        const others = [
          { leafHash: leaves[(at + 1) % MOST] as Uint8Array },
          { root: rootOf(to - 1) },
          ...(to > 1 ? [{ index: (at + 1) % to }] : []),
        ];
        const accepted = [{}, ...others].map((other) => verifyInclusion(sha256, { ...claim, ...other }));
        if (accepted.join() !== ['true', ...others.map(() => 'false')].join()) throw new Error(`${at} of ${to}`);
      }
    }
  });

  it('every pair of sizes proves', () => {
    for (let to = 1; to <= MOST; to++) {
      for (let from = 1; from <= to; from++) {
        const proof = consistencySubtrees(from, to).map(join);
        const claim = { from, to, fromRoot: rootOf(from), toRoot: rootOf(to), proof };
        const others = [{}, { toRoot: rootOf(to - 1) }, { fromRoot: rootOf(from - 1) }];
        const accepted = others.map((other) => verifyConsistency(sha256, { ...claim, ...other }));
        if (accepted.join() !== 'true,false,false') throw new Error(`${from} to ${to}`);
      }
    }
  });

  it('every tampering with an inclusion proof fails', () => {
    fc.assert(
      fc.property(place, fc.integer({ min: 0, max: 255 }), ({ to, at }, bit) => {
        const claim = { index: at, size: to, leafHash: leaves[at] as Uint8Array, root: rootOf(to) };
        for (const proof of tampered(inclusionSubtrees(at, to).map(join), bit)) {
          if (verifyInclusion(sha256, { ...claim, proof })) return false;
        }
        return true;
      }),
    );
  });

  it('every tampering with a consistency proof fails', () => {
    fc.assert(
      fc.property(place, fc.integer({ min: 0, max: 255 }), ({ to, at }, bit) => {
        const from = at + 1;
        const claim = { from, to, fromRoot: rootOf(from), toRoot: rootOf(to) };
        for (const proof of tampered(consistencySubtrees(from, to).map(join), bit)) {
          if (verifyConsistency(sha256, { ...claim, proof })) return false;
        }
        return true;
      }),
    );
  });
});

describe('places outside of the tree', () => {
  it('size 0 has the hash of nothing for its root, and proves nothing', () => {
    expect(toHex(emptyRoot(sha256))).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
    expect(joinSubtrees(sha256, [])).toEqual(emptyRoot(sha256));
    expect(() => inclusionSubtrees(0, 0)).toThrow(RangeError);
    expect(() => consistencySubtrees(0, 1)).toThrow(RangeError);
  });

  it.each([
    [-1, 5],
    [5, 5],
    [0.5, 5],
    [2 ** 53, 2 ** 53 + 2],
    [Number.NaN, 5],
  ])('no proof is made or accepted for %d of %d', (index, to) => {
    expect(() => inclusionSubtrees(index, to)).toThrow(RangeError);
    const claim = { index, size: to, leafHash: leaves[0] as Uint8Array, proof: [], root: leaves[0] as Uint8Array };
    expect(verifyInclusion(sha256, claim)).toBe(false);
    const roots = { fromRoot: leaves[0] as Uint8Array, toRoot: leaves[0] as Uint8Array, proof: [] };
    expect(verifyConsistency(sha256, { from: index, to: index, ...roots })).toBe(index === 5);
  });

  it('sizes beyond 32 bits are divided rightly', () => {
    const large = 2 ** 40 + 5;
    expect(rootSubtrees(large)).toEqual([
      { level: 40, index: 0 },
      { level: 2, index: 2 ** 38 },
      { level: 0, index: 2 ** 40 + 4 },
    ]);
    expect(inclusionSubtrees(2 ** 40 + 4, large)).toEqual([[{ level: 2, index: 2 ** 38 }], [{ level: 40, index: 0 }]]);
    const [left, middle, leaf] = leaves as [Uint8Array, Uint8Array, Uint8Array];
    const root = hashNode(sha256, left, hashNode(sha256, middle, leaf));
    const claim = { index: 2 ** 40 + 4, size: large, leafHash: leaf, proof: [middle, left], root };
    expect(verifyInclusion(sha256, claim)).toBe(true);
    expect(verifyInclusion(sha256, { ...claim, index: 2 ** 40 + 3 })).toBe(false);
    const toRoot = hashNode(sha256, left, middle);
    const grown = { from: 2 ** 40, to: 2 ** 40 + 4, fromRoot: left, toRoot, proof: [middle] };
    expect(verifyConsistency(sha256, grown)).toBe(true);
    expect(verifyConsistency(sha256, { ...grown, from: 2 ** 39 })).toBe(false);
  });
});
