/**
 * C2SP tlog-checkpoint: the body of a signed note that says how large a log is and what its root is. Ours has no extension
 * lines; one with any is not ours.
 */
import { fromBase64, toBase64 } from './base64.js';
import { HASH_BYTES } from './merkle-hash.js';
import { isKeyName } from './note-key.js';

export interface Checkpoint {
  /** Which log, in which branch: `originOf`. */
  readonly origin: string;
  /** How many leaves; at least 1: of the empty log nothing is signed. */
  readonly size: number;
  /** 32 bytes. */
  readonly root: Uint8Array;
}

export class CheckpointError extends Error {
  override readonly name = 'CheckpointError';
}

/**
 * Why a text may not name a log; null where it may. A base that ends in a number would read as another log's branch.
 */
export function findBaseProblem(base: string): string | null {
  if (!isKeyName(base)) return 'expected up to 200 of letters, digits and . _ ~ / -, a letter or digit first';
  return /\/\d*$/.test(base) ? 'expected no number, and no slash, at the end: that is how branches are named' : null;
}

/**
 * The name of a branch of a log, and of the keys that sign its checkpoints. The first branch has the log's own name; a
 * later one begins where a loss was accepted, and needs a name of its own, since the lost part of the one before may have
 * been shown to somebody.
 */
export function originOf(base: string, branch: number): string {
  return branch === 1 ? base : `${base}/${branch}`;
}

export function formatCheckpoint({ origin, size, root }: Checkpoint): string {
  return `${origin}\n${size}\n${toBase64(root)}\n`;
}

/** @throws CheckpointError */
export function parseCheckpoint(text: string): Checkpoint {
  const lines = text.split('\n');
  const [origin = '', digits = '', base64 = '', end] = lines;
  const size = Number(digits);
  const root = fromBase64(base64);
  if (
    lines.length !== 4 ||
    end !== '' ||
    !isKeyName(origin) ||
    !/^[1-9]\d{0,15}$/.test(digits) ||
    !Number.isSafeInteger(size) ||
    root?.length !== HASH_BYTES
  ) {
    throw new CheckpointError('expected a checkpoint: an origin, a size of at least 1, and the base64 of a root');
  }
  return { origin, size, root };
}
