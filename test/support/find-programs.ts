/** The programs that a chaos run needs, found or built before its own clock runs: a first build with Go takes minutes. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { findToxiproxy } from '../../src/infrastructure/embedded/find-toxiproxy.js';

const run = promisify(execFile);
const note = (line: string) => void process.stderr.write(`${line}\n`);

/** For the hook that calls one of these; it only bounds a build that hangs. */
export const FOUND_WITHIN_MS = 20 * 60_000;

const TOLD = /^(?:GO[A-Z0-9]+|TOXIPROXY_PATH|TEMPORAL_CLI_PATH)$/;

/** What of this machine's settings a search for programs needs, so that a child finds the ones that were found here. */
export function programEnvironment(): Record<string, string> {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => TOLD.test(name))) as Record<string, string>;
}

export async function findProxyProgram(): Promise<void> {
  await findToxiproxy({ environment: process.env, note });
}

/** The Temporal server that keeps its runs in PostgreSQL, and what makes its tables. */
export async function findTemporalPrograms(): Promise<void> {
  const program = fileURLToPath(new URL('temporal-on-postgres.mjs', import.meta.url));
  await run(process.execPath, [program, 'programs'], { maxBuffer: 64 * 1024 * 1024 });
}
