import { execFile } from 'node:child_process';
import { processEnvironment } from '../../infrastructure/config/process-environment.js';

export interface CliAnswer {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const WITHIN_MS = 120_000;

/** Runs the built command line to its end, as an operator would, with exactly this environment and PATH, HOME. */
export function runCli(
  cli: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<CliAnswer> {
  return new Promise((resolve, reject) => {
    const { PATH, HOME } = processEnvironment();
    const env = { PATH, HOME, ...environment };
    const options = { env, timeout: WITHIN_MS, killSignal: 'SIGKILL' as const, maxBuffer: 64 * 1024 * 1024 };
    execFile(process.execPath, [cli, ...args], options, (error, stdout, stderr) => {
      if (error !== null && typeof error.code !== 'number') {
        reject(new Error(`outbox ${args.join(' ')}: ended by ${error.signal ?? error.message}: ${stderr.slice(-500)}`));
      } else resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

/** The same, where anything but exit code 0 is a failure of the run. Its standard output. */
export async function runCliOrThrow(
  cli: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<string> {
  const { code, stdout, stderr } = await runCli(cli, args, environment);
  if (code !== 0) throw new Error(`outbox ${args.join(' ')}: exit code ${code}: ${(stderr || stdout).slice(-1_000)}`);
  return stdout;
}
