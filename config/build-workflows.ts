// Packs dist/workflows into dist/workflow-bundle.js, so that a worker starts without a bundler on the user's machine, and once
// more with OpenTelemetry's interceptors, for workers that trace: the bundle of the others has nothing of them.
import { writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';

const workflowsPath = fileURLToPath(new URL('../dist/workflows/index.js', import.meta.url));

const interceptors = createRequire(import.meta.url).resolve(
  '@temporalio/interceptors-opentelemetry-v2/lib/workflow-interceptors.js',
);

await pack('workflow-bundle.js', []);
await pack('workflow-bundle-traced.js', [interceptors]);

async function pack(name: string, workflowInterceptorModules: string[]): Promise<void> {
  const logger = new DefaultLogger('WARN');
  const { code } = await bundleWorkflowCode({ workflowsPath, workflowInterceptorModules, logger });
  await writeFile(fileURLToPath(new URL(`../dist/${name}`, import.meta.url)), withRelativeSources(code));
  console.log(`Workflow bundle ${name}: ${Math.round(code.length / 1024)} KiB`);
}

/** The bundler names sources by their path on this machine, in a map inside the file; a package must not. */
function withRelativeSources(bundle: string): string {
  const root = fileURLToPath(new URL('..', import.meta.url));
  return bundle.replace(
    /(sourceMappingURL=data:application\/json;charset=utf-8;base64,)([A-Za-z0-9+/=]+)/,
    (_, prefix: string, map: string) =>
      prefix + Buffer.from(Buffer.from(map, 'base64').toString('utf8').replaceAll(root, '')).toString('base64'),
  );
}
