/** A Go module as files: its schemas are read, nothing of it is built. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** The folder of `github.com/owner/name/v2@v2.1.0`, downloaded where Go has not kept it yet. */
export async function moduleFolder(module: string): Promise<string> {
  // GOFLAGS=-mod=mod and no go.work: the checkout is no module of Go, and its surroundings have no say.
  const env = { ...process.env, GOFLAGS: '-mod=mod', GOWORK: 'off' };
  const { stdout } = await promisify(execFile)('go', ['mod', 'download', '-json', module], { env, timeout: 120_000 });
  return (JSON.parse(stdout) as { Dir: string }).Dir;
}
