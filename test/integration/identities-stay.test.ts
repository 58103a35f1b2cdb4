/** R25: what a redrive may have recorded is known for ever, or an api does not start. Real: PostgreSQL, the built command line. */
import pg from 'pg';
import { findIdentityGaps } from '../../src/infrastructure/prisma/identities-stay.js';
import { EXIT } from '../../src/main/exit-codes.js';
import { createTestDatabases, type TestDatabases } from '../support/databases.js';
import { runOutboxCli } from '../support/outbox-cli.js';

let databases: TestDatabases;
let audit: pg.Pool;
beforeEach(async () => {
  databases = await createTestDatabases();
  audit = new pg.Pool({ connectionString: databases.auditUrl, max: 2 });
});
afterEach(async () => {
  await audit.end();
  await databases.drop();
});

it('R25: as migrated, identities stay', async () => {
  expect(await findIdentityGaps(audit)).toEqual([]);
});

it.each([
  ['switched off', 'ALTER TABLE audit.record_key DISABLE TRIGGER record_key_append_only', 'record_key_append_only'],
  ['dropped', 'DROP TRIGGER record_key_no_truncate ON audit.record_key', 'record_key_no_truncate'],
])('R25: an api does not start where a trigger that keeps them is %s', async (_, sql, name) => {
  await audit.query(sql);
  expect(await findIdentityGaps(audit)).toEqual([name]);
  const { code, printed } = await runOutboxCli(['api'], {
    AUDIT_DATABASE_URL: databases.auditUrl,
    AUDIT_FINGERPRINT_KEYS: `t:${'ab'.repeat(32)}`,
    OUTBOX_API_PORT: '0',
  });
  expect([code, printed]).toEqual([
    EXIT.configuration,
    expect.stringContaining(`expected ${name} on audit.record_key`),
  ]);
});
