import { access, constants, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';

const DOWNLOAD_DEADLINE_MS = 60_000;

/**
 * Lets the SDK download the Temporal CLI into `folder`, as its test environment does, and returns the path of the
 * executable. Throws with the reason where the network does not allow it.
 */
export async function downloadTemporalCli(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  const { TestWorkflowEnvironment } = await import('@temporalio/testing');
  const started = TestWorkflowEnvironment.createLocal({
    server: { executable: { type: 'cached-download', downloadDir: folder } },
  });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`not finished after ${DOWNLOAD_DEADLINE_MS / 1000} s`)),
      DOWNLOAD_DEADLINE_MS,
    );
  });
  try {
    const environment = await Promise.race([started, late]);
    await environment.teardown();
  } finally {
    clearTimeout(timer);
    // Finished after the deadline: the server that came with it must not stay.
    void started.then((environment) => environment.teardown()).catch(() => {});
  }
  for (const name of await readdir(folder)) {
    const candidate = join(folder, name);
    if (name.startsWith('temporal') && (await isExecutable(candidate))) return candidate;
  }
  throw new Error(`the download left no executable in ${folder}`);
}

function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
