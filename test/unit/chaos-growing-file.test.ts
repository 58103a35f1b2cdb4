// Real: files.
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readGrowing } from '../../src/main/chaos/growing-file.js';

const folder = mkdtempSync(join(tmpdir(), 'outbox-growing-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const start = (name: string, most: number) => {
  const file = join(folder, name);
  writeFileSync(file, '');
  return { growing: readGrowing(file, most), print: (text: string) => appendFileSync(file, text) };
};

it('counts each line once, however often it is asked, and a line only when it is whole', () => {
  const { growing, print } = start('whole', 1_000);
  expect(growing.times(/gone/g)).toBe(0);
  print('gone gone\nhere\n');
  expect([growing.times(/gone/g), growing.times(/gone/g), growing.times(/here/g)]).toEqual([2, 2, 1]);
  print('go');
  expect(growing.times(/gone/g)).toBe(2);
  print('ne\n');
  expect([growing.times(/gone/g), growing.text()]).toEqual([3, 'gone gone\nhere\ngone\n']);
});

it('keeps the end, and forgets nothing that it has counted', () => {
  const { growing, print } = start('end', 10);
  for (let line = 1; line <= 5; line += 1) {
    print(`gone ${line}\n`);
    expect(growing.times(/gone/g)).toBe(line);
  }
  expect(growing.text()).toBe(' 4\ngone 5\n');
});
