// Real: the turns. The work is the test's own: it ends when the test says so.
import { createTurns } from '../../src/application/audit/monitor/take-turns.js';

const refuse = () => new Error('too many');

function openWork() {
  const begun: string[] = [];
  const ends = new Map<string, (error?: Error) => void>();
  const work = (name: string) => () =>
    new Promise<void>((resolve, reject) => {
      begun.push(name);
      ends.set(name, (error) => {
        if (error === undefined) resolve();
        else reject(error);
      });
    });
  return { begun, work, end: (name: string, error?: Error) => ends.get(name)?.(error) };
}

it('the first line goes before the other, whoever came earlier', async () => {
  const inTurn = createTurns({ atOnce: 1, waiting: 2 }, refuse);
  const { begun, work, end } = openWork();
  const asked = [
    inTurn(work('stranger 1')),
    inTurn(work('stranger 2')),
    inTurn(work('stranger 3')),
    inTurn(work('known 1'), true),
    inTurn(work('known 2'), true),
  ];
  for (const [at, turn] of [0, 3, 4, 1, 2].entries()) {
    end(begun[at] as string);
    await asked[turn];
  }
  expect(begun).toEqual(['stranger 1', 'known 1', 'known 2', 'stranger 2', 'stranger 3']);
});

it('each line has its own bound', async () => {
  const inTurn = createTurns({ atOnce: 1, waiting: 1 }, refuse);
  const { begun, work, end } = openWork();
  const asked = [inTurn(work('a')), inTurn(work('b')), inTurn(work('c'), true)];
  await expect(inTurn(work('d'))).rejects.toThrow('too many');
  await expect(inTurn(work('e'), true)).rejects.toThrow('too many');
  for (const [at, turn] of [0, 2, 1].entries()) {
    end(begun[at] as string);
    await asked[turn];
  }
  expect(begun).toEqual(['a', 'c', 'b']);
});

it('work that fails gives its place on, and the last one frees it', async () => {
  const inTurn = createTurns({ atOnce: 1, waiting: 1 }, refuse);
  const { begun, work, end } = openWork();
  const failing = inTurn(work('a'));
  const waiting = inTurn(work('b'));
  end('a', new Error('broken'));
  await expect(failing).rejects.toThrow('broken');
  end('b');
  await waiting;
  const later = inTurn(work('c'));
  end('c');
  await later;
  expect(begun).toEqual(['a', 'b', 'c']);
});
