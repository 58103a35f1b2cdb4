import { createHmac } from 'node:crypto';

const UNIT = 2 ** 48;

/** Four numbers in [0, 1), the same for the same seed and the same words, in whatever order they are asked for. */
export function draw(seed, ...words) {
  const bytes = createHmac('sha256', `production ${seed}`).update(words.join(' ')).digest();
  return [0, 6, 12, 18].map((at) => bytes.readUIntBE(at, 6) / UNIT);
}
