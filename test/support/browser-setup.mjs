// The set-up of the `browser` project: the servers of the `system` project, which both share where they run together, and
// the Chromium that their pages are opened in.
import { access } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { findChromium } from './find-chromium.mjs';
import startServers from './global-setup.mjs';

export default async function browserSetup(globalConfig, projectConfig) {
  const note = (line) => process.stderr.write(`test set-up: ${line}\n`);
  const page = fileURLToPath(new URL('../../dist/monitor/index.html', import.meta.url));
  await access(page).catch((cause) => {
    throw new Error('the monitor is not built: npm run build', { cause });
  });
  process.env.TEST_CHROMIUM = await findChromium({ note });
  await startServers(globalConfig, projectConfig);
}
