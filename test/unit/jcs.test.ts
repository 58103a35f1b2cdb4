/**
 * What makes our leaves (`canonicalize`) against the vectors of RFC 8785, which stand beside the project
 * (shared/data/vectors); without them these tests say so and pass by. Nothing is fake.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import canonicalize from 'canonicalize';

const folder = `${process.env.OUTBOX_VECTORS_DIR ?? fileURLToPath(new URL('../../../shared/data/vectors', import.meta.url))}/jcs`;
const present = existsSync(folder);
if (!present) console.warn(`SKIPPED: no vectors at ${folder}; OUTBOX_VECTORS_DIR names another folder`);

(present ? describe : describe.skip)('RFC 8785', () => {
  it.each(present ? readdirSync(`${folder}/input`) : ['none'])('%s', (name) => {
    const made = canonicalize(JSON.parse(readFileSync(`${folder}/input/${name}`, 'utf8'))) as string;
    expect(made).toBe(readFileSync(`${folder}/output/${name}`, 'utf8').trimEnd());
    const bytes = readFileSync(`${folder}/outhex/${name.replace('.json', '.txt')}`, 'utf8').replaceAll(/\s/g, '');
    expect(Buffer.from(made).toString('hex')).toBe(bytes);
  });

  it('numbers as ES6 writes them', () => {
    const lines = readFileSync(`${folder}/es6-number-samples.csv`, 'utf8').trim().split('\n');
    expect(lines.length).toBeGreaterThan(5);
    for (const line of lines) {
      const [bits = '', text] = line.trim().split(',');
      const number = Buffer.from(bits.padStart(16, '0'), 'hex').readDoubleBE();
      expect(canonicalize(number)).toBe(text);
    }
  });
});
