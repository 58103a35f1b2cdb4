// The link that signs somebody in once, as `outbox dev` prints it. Real: the api role with all that it opens, in this process
// (which hands out the links), PostgreSQL, HTTP, the built page in a Chromium. Fake: nothing; no relay and no worker runs.
import { createApiKey } from '../../src/application/audit/create-api-key.js';
import { createSignInLinks } from '../../src/application/audit/monitor/sign-in-links.js';
import { SESSION_PATH } from '../../src/contract/monitor-api.js';
import { createRedactor } from '../../src/domain/redaction/redactor.js';
import { loadSettings } from '../../src/infrastructure/config/load-settings.js';
import { createLogger } from '../../src/infrastructure/log/create-logger.js';
import { createAuditApiKeys } from '../../src/infrastructure/prisma/audit-api-keys.js';
import { createCounters } from '../../src/main/counters.js';
import type { StartedRole } from '../../src/main/role.js';
import { startApiRole } from '../../src/main/start-api.js';
import { withBrowser } from '../support/browser.js';
import { createTestDeployment, type TestDeployment } from '../support/roles.js';

const openTab = withBrowser();
const links = createSignInLinks();
let deployment: TestDeployment;
let api: StartedRole;

beforeAll(async () => {
  deployment = await createTestDeployment();
  api = await startApiRole({
    settings: loadSettings({ ...deployment.environment, OUTBOX_OPS: 'on' }, ['api']),
    config: {},
    log: createLogger({ level: 'silent', base: {}, redactor: createRedactor() }),
    counters: createCounters(),
    signInLinks: links,
  });
}, 60_000);
afterAll(async () => {
  await api.stop();
  await deployment.drop();
});

it('signs in once, leaves nothing in the address or its history, and no second time', async () => {
  const { key } = await createApiKey({ keys: createAuditApiKeys(deployment.audit) })({
    name: 'you',
    scopes: ['dlq:write', 'audit:read'],
  });
  const origin = `http://127.0.0.1:${api.port}`;
  const secret = links.make(key.id);
  const address = `/monitor/sign-in#link=${secret}`;
  const page = await openTab({ origin });
  const sent: string[] = [];
  page.on('request', (request) => sent.push(request.url()));
  await page.goto(address);
  await page.getByRole('heading', { name: 'Overview' }).waitFor();
  await page.getByText('you (operator)').waitFor();
  expect(page.url()).toBe(`${origin}/monitor/`);
  expect(sent.filter((url) => url.includes(secret) && !url.includes('#'))).toEqual([]);
  await page.goBack();
  expect(page.url()).not.toContain(secret);

  const again = await openTab({
    origin,
    expects: (status, path) => status === 401 && path === SESSION_PATH,
  });
  await again.goto(address);
  await again.getByRole('alert').filter({ hasText: 'a link that holds' }).waitFor();
  expect(again.url()).not.toContain(secret);
  await again.getByRole('heading', { name: 'Sign in' }).waitFor();
});
