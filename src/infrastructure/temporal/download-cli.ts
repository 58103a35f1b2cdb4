import { execFile } from 'node:child_process';
import { access, constants, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const DOWNLOAD_DEADLINE_MS = 60_000;

/**
 * Lets the SDK download the Temporal CLI into `folder`, as its test environment does, and returns the path of the
 * executable. Throws with the reason where the network does not allow it. In a process of its own: the SDK's download can
 * be neither given up nor left behind from within.
 */
export async function downloadTemporalCli(folder: string, signal: AbortSignal | undefined): Promise<string> {
  await mkdir(folder, { recursive: true });
  try {
    const sdk = import.meta.resolve('@temporalio/testing');
    await run(process.execPath, ['--input-type=module', '--eval', DOWNLOAD, sdk, folder], {
      timeout: DOWNLOAD_DEADLINE_MS,
      ...(signal === undefined ? {} : { signal }),
    });
  } catch (error) {
    throw new Error(reasonOf(error as ExecError), { cause: error });
  }
  for (const name of await readdir(folder)) {
    const candidate = join(folder, name);
    if (name.startsWith('temporal') && (await isExecutable(candidate))) return candidate;
  }
  throw new Error(`the download left no executable in ${folder}`);
}

const DOWNLOAD = `
const [sdk, downloadDir] = process.argv.slice(-2);
try {
  const { TestWorkflowEnvironment } = (await import(sdk)).default;
  const environment = await TestWorkflowEnvironment.createLocal({
    server: { executable: { type: 'cached-download', downloadDir } },
  });
  await environment.teardown();
} catch (error) {
  process.stderr.write(String(error?.message ?? error));
  process.exit(1);
}`;

type ExecError = Error & { readonly killed?: boolean; readonly stderr?: string };

function reasonOf({ killed, stderr, message }: ExecError): string {
  if (killed) return `not finished after ${DOWNLOAD_DEADLINE_MS / 1_000} s`;
  return stderr?.trim() || message;
}

function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
