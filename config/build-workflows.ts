// Packs dist/workflows into dist/workflow-bundle.js, so that a worker starts without a bundler on the user's machine.
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';

const workflowsPath = fileURLToPath(new URL('../dist/workflows/index.js', import.meta.url));
const bundlePath = fileURLToPath(new URL('../dist/workflow-bundle.js', import.meta.url));

const { code } = await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('WARN') });
await writeFile(bundlePath, withRelativeSources(code));
console.log(`Workflow bundle: ${Math.round(code.length / 1024)} KiB`);

/** The bundler names sources by their path on this machine, in a map inside the file; a package must not. */
function withRelativeSources(bundle: string): string {
  const root = fileURLToPath(new URL('..', import.meta.url));
  return bundle.replace(
    /(sourceMappingURL=data:application\/json;charset=utf-8;base64,)([A-Za-z0-9+/=]+)/,
    (_, prefix: string, map: string) =>
      prefix + Buffer.from(Buffer.from(map, 'base64').toString('utf8').replaceAll(root, '')).toString('base64'),
  );
}
