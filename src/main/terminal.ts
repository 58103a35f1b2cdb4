/** What commands say to a person, and who that person is. */
import { userInfo } from 'node:os';
import { EXIT } from './exit-codes.js';
import { UsageError } from './usage-error.js';

export function print(line: string): void {
  process.stdout.write(`${safeForTerminal(line)}\n`);
}

/** What strangers sent must not steer a terminal: printable ASCII only, the rest as JSON escapes (in JSON text, too). */
export function safeForTerminal(line: string): string {
  const escaped = (char: string) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return line.replace(/[^\x20-\x7e]/g, escaped);
}

/** Something on the way, beside the result. */
export function note(line: string, { json }: { readonly json?: boolean }): void {
  process.stderr.write(json ? `${JSON.stringify({ note: line })}\n` : `${line}\n`);
}

/** Says why, with `--json` as one line of it, and returns the exit code. */
export function complain(sentence: string, kind: 'failed' | 'unavailable' | 'interrupted' = 'failed'): number {
  const error = { kind, exitCode: EXIT[kind], message: sentence, problems: [] };
  const json = process.argv.includes('--json');
  process.stderr.write(json ? `${JSON.stringify({ error })}\n` : `outbox: ${sentence}\n`);
  return EXIT[kind];
}

/** Who asks, and why: the user of this process where nobody is named. */
export function wordOf({ reason, actor }: { readonly reason: string; readonly actor?: string }): {
  actor: string;
  reason: string;
} {
  return { actor: actorOf(actor), reason };
}

export function actorOf(named: string | undefined): string {
  if (named !== undefined) return named;
  try {
    return userInfo().username.slice(0, 200);
  } catch {
    // In a container the user may have no name.
    throw new UsageError('--actor: missing, and this process runs as a user without a name');
  }
}
