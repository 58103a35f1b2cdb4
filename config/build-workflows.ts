// Packs dist/workflows into dist/workflow-bundle.js, so that a worker starts without a bundler on the user's machine.
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';

const workflowsPath = fileURLToPath(new URL('../dist/workflows/index.js', import.meta.url));
const bundlePath = fileURLToPath(new URL('../dist/workflow-bundle.js', import.meta.url));

if (existsSync(workflowsPath)) {
  const { code } = await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('WARN') });
  await writeFile(bundlePath, code);
  console.log(`Workflow bundle: ${Math.round(code.length / 1024)} KiB`);
} else {
  console.log('Workflow bundle: left out, there is no workflows/index.ts yet');
}
