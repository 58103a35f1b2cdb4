import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { findPasswordProblem } from '../application/audit/monitor/hash-password.js';
import { UsageError } from './usage-error.js';

/** A password of 200 characters, its line break, and room to say that it is too long. */
const MOST_BYTES = 4 * 1024;

/**
 * A password that fits: typed twice at a terminal, which does not show it, or the first and only line of standard input. It is
 * never an argument, where everybody on the machine would see it. Throws UsageError.
 */
export async function readPassword(command: string): Promise<string> {
  const password = process.stdin.isTTY ? await ask(command) : await readAll(command);
  const problem = findPasswordProblem(password);
  if (problem !== null) throw new UsageError(problem, { command });
  return password;
}

async function ask(command: string): Promise<string> {
  const first = await askHidden('Password: ', command);
  const problem = findPasswordProblem(first);
  if (problem !== null) throw new UsageError(problem, { command });
  if ((await askHidden('The same again: ', command)) === first) return first;
  throw new UsageError('expected the same password twice', { command });
}

/** The terminal echoes what the interface writes, so that writes nowhere. */
async function askHidden(prompt: string, command: string): Promise<string> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = createInterface({ input: process.stdin, output: nowhere, terminal: true, historySize: 0 });
  const given = new AbortController();
  terminal.once('SIGINT', () => given.abort());
  terminal.once('close', () => given.abort());
  process.stderr.write(prompt);
  try {
    return await terminal.question('', { signal: given.signal });
  } catch (cause) {
    if (given.signal.aborted) throw new UsageError('no password was given', { command });
    throw cause;
  } finally {
    terminal.close();
    process.stderr.write('\n');
  }
}

async function readAll(command: string): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of process.stdin) {
    bytes += (chunk as Buffer).length;
    if (bytes > MOST_BYTES) throw new UsageError('expected a password alone on standard input', { command });
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks)
    .toString('utf8')
    .replace(/\r?\n$/, '');
}
