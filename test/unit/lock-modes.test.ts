// Which lock a migration takes beforehand. Real: the function and the packed migrations. That the modes are PostgreSQL's own:
// integration/migrate-under-load.
import { readFileSync } from 'node:fs';
import { lockModeOf } from '../../src/infrastructure/prisma/lock-modes.js';

it.each([
  ['ALTER TABLE outbox.event SET (autovacuum_vacuum_threshold = 5000, fillfactor = 90);', 'SHARE UPDATE EXCLUSIVE'],
  ['ALTER TABLE outbox.event RESET (toast.autovacuum_enabled);', 'SHARE UPDATE EXCLUSIVE'],
  ['ALTER TABLE outbox.event VALIDATE CONSTRAINT event_tenant_check;', 'SHARE UPDATE EXCLUSIVE'],
  ['ALTER TABLE outbox.event ALTER COLUMN payload SET STATISTICS 0;', 'SHARE UPDATE EXCLUSIVE'],
  ['CREATE UNIQUE INDEX IF NOT EXISTS i\n  ON outbox.event (id);', 'SHARE'],
  ['CREATE INDEX ON ONLY event (id);', 'SHARE'],
  [
    'ALTER TABLE outbox.event ADD CONSTRAINT f FOREIGN KEY (a, b) REFERENCES outbox.other (a, b) NOT VALID;',
    'SHARE ROW EXCLUSIVE',
  ],
  ['CREATE TABLE outbox.other (event_id uuid REFERENCES outbox.event (id));', 'SHARE ROW EXCLUSIVE'],
  [
    'CREATE TRIGGER t BEFORE UPDATE OR DELETE ON outbox.event FOR EACH ROW EXECUTE FUNCTION f();',
    'SHARE ROW EXCLUSIVE',
  ],
  ['ALTER TABLE outbox.event ADD COLUMN a numeric(3, 2) DEFAULT 1;', 'ACCESS EXCLUSIVE'],
  ['ALTER TABLE IF EXISTS ONLY "outbox"."event" DROP COLUMN a;', 'ACCESS EXCLUSIVE'],
  ['ALTER TABLE outbox.event SET (user_catalog_table = true);', 'ACCESS EXCLUSIVE'],
  ['DROP TRIGGER event_insert_only ON outbox.event;', 'ACCESS EXCLUSIVE'],
])('%s takes %s', (sql, mode) => {
  expect(lockModeOf(sql, 'event')).toBe(mode);
});

it('of several clauses or statements takes what covers them all', () => {
  const vacuum = 'SET (autovacuum_vacuum_threshold = 1)';
  const index = 'CREATE INDEX i ON outbox.event (id);';
  expect(lockModeOf(`ALTER TABLE outbox.event ${vacuum}, ADD COLUMN a int;`, 'event')).toBe('ACCESS EXCLUSIVE');
  // Neither of the two keeps all away that the other does.
  expect(lockModeOf(`${index} ALTER TABLE outbox.event ${vacuum};`, 'event')).toBe('SHARE ROW EXCLUSIVE');
  expect(lockModeOf(`${index} DROP TABLE outbox.event;`, 'event')).toBe('ACCESS EXCLUSIVE');
});

it.each([
  'ALTER TABLE outbox.event_note ADD COLUMN a int;',
  '-- ALTER TABLE outbox.event ADD COLUMN a int;',
  'CREATE INDEX i ON outbox.delivery (event_id);',
  'UPDATE outbox.event SET payload = NULL;',
])('takes none for %s', (sql) => {
  expect(lockModeOf(sql, 'event')).toBeNull();
});

it("retention's migration keeps no reader, no append and no dump away", () => {
  const sql = readFileSync('prisma/outbox/migrations/20261130030000_retention/migration.sql', 'utf8');
  expect(['event', 'delivery', 'delivery_attempt', 'dead_letter'].map((table) => lockModeOf(sql, table))).toEqual([
    'SHARE UPDATE EXCLUSIVE',
    null,
    'SHARE UPDATE EXCLUSIVE',
    null,
  ]);
});
