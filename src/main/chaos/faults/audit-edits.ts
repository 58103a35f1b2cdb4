/** F31: the audit log against those who may write to its database, and against its owner. */
import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import { planGrants } from '../../../infrastructure/prisma/grants.js';
import { RIGHT_HOLDERS, RIGHTS } from '../../../infrastructure/prisma/rights.js';
import type { ChaosWorld } from '../ports.js';
import { type CliAnswer, runCli } from '../run-cli.js';
import { defineFault, type Inflicting } from './define-fault.js';
import { untilStatus } from './look.js';
import { idsOf, ownEvents } from './own-events.js';
import { PATIENCE_MS, until } from './wait.js';

const CHANGES = [
  "UPDATE audit.record SET outcome = 'failure'",
  'DELETE FROM audit.record',
  'TRUNCATE audit.record',
  "UPDATE audit.record_key SET source = 'nobody'",
  'DELETE FROM audit.record_key',
  'TRUNCATE audit.record_key CASCADE',
] as const;

/** Not allowed to; or allowed, and refused by the table's own trigger. */
const REFUSALS: ReadonlySet<string> = new Set(['42501', '23001']);
/** The table was not to be had in the lock's time, which says nothing of rights. */
const LOCKED = '55P03';
const LOCK_TRIES = 4;

export const editedAuditLog = defineFault({
  id: 'F31',
  title: 'UPDATE, DELETE, TRUNCATE on the audit log as each role; an edit by the owner',
  // The owner's edit is a broken log for a moment: nothing else may look at it then.
  weight: 0,
  short: [3, 5],
  long: [15, 20],
  async inflict(world, inflicting) {
    const refused = await tryAsEachRole(world.audit, inflicting);
    // At a staging nobody edits a log that others rely on.
    const named = world.servers === null ? 'not tried here' : await editAsOwner(world, inflicting);
    await inflicting.heal();
    return { happened: refused, what: `${refused} changes refused; an edit by the owner: ${named}` };
  },
});

/** The roles are made in a transaction that is rolled back: nothing of them stays. `null`: as who the roles of this run are. */
async function tryAsEachRole(pool: pg.Pool, { problems, signal }: Inflicting): Promise<number> {
  let refused = 0;
  const { rows } = await pool.query<{ may: boolean }>(
    'SELECT rolsuper OR rolcreaterole AS may FROM pg_roles WHERE rolname = current_user',
  );
  // Whoever may make no role shows its own refusals only.
  const holders = rows[0]?.may ? RIGHT_HOLDERS.filter((holder) => RIGHTS.audit[holder] !== undefined) : [];
  for (const holder of [null, ...holders]) {
    if (signal.aborted) break;
    const role = holder === null ? null : `chaos_${holder}_${randomBytes(4).toString('hex')}`;
    const client = await pool.connect();
    try {
      await client.query("BEGIN; SET LOCAL lock_timeout = '5s'");
      if (role !== null && holder !== null) {
        await client.query(`CREATE ROLE ${role}`);
        const plan = await planGrants(poolOf(client), 'audit', { [holder]: role });
        // What everybody may do is not this transaction's to change while others work.
        for (const statement of plan.statements.filter((text) => text.startsWith('GRANT')))
          await client.query(statement);
        await client.query(`SET LOCAL ROLE ${role}`);
      }
      for (const change of CHANGES) {
        let code: string | null;
        let tries = 0;
        do {
          tries += 1;
          await client.query('SAVEPOINT before_change');
          code = await client.query(change).then(
            () => null,
            (error: { code?: string }) => error.code ?? 'no code',
          );
          await client.query('ROLLBACK TO SAVEPOINT before_change');
        } while (code === LOCKED && tries < LOCK_TRIES && !signal.aborted);
        if (code !== null && REFUSALS.has(code)) refused += 1;
        else
          problems.push(
            `${holder ?? 'the roles of this run'}: ${change}: expected a refusal, got ${code ?? 'no error'}`,
          );
      }
    } finally {
      const undone = await client.query('ROLLBACK').catch(() => null);
      client.release(undone === null);
    }
  }
  return refused;
}

/** The role exists in this transaction only, so the plan is made by its own connection, which is not given back. */
function poolOf(client: pg.PoolClient): pg.Pool {
  const connect = async () => ({ query: client.query.bind(client), release: () => undefined });
  return { connect } as unknown as pg.Pool;
}

/** A record of its own, edited as only the owner can, named by the verifier, and put back as it was. */
async function editAsOwner(world: ChaosWorld, { problems, signal }: Inflicting): Promise<string> {
  const events = ownEvents(world, 1, { routingKey: 'audit.log' });
  const [id] = idsOf(events);
  await world.producer.append(events);
  const open = await untilStatus(world, idsOf(events), ['DELIVERED'], { withinMs: PATIENCE_MS, signal });
  const record = open.length > 0 ? null : await untilSealed(world, id as string, signal);
  if (record === null) {
    const why = open.length > 0 ? 'its event was not delivered in time' : 'its record was not sealed in time';
    problems.push(`an edit by the owner could not be tried: ${why}`);
    return why;
  }
  const verify = () => runCli(world.cli, ['audit', 'verify', '--json'], world.environment);
  const before = await verify();
  if (before.code !== 0) problems.push(`the log did not verify before the edit: ${said(before)}`);
  try {
    await asOwner(
      world.audit,
      'UPDATE audit.record SET body = body || \'{"chaos": true}\' WHERE record_id = $1',
      record,
    );
    const edited = await verify();
    if (edited.code === 0 || !edited.stdout.includes(record)) {
      problems.push(`an edit by the owner: expected the verifier to name record ${record}, got ${said(edited)}`);
    }
  } finally {
    await asOwner(world.audit, "UPDATE audit.record SET body = body - 'chaos' WHERE record_id = $1", record);
  }
  const after = await verify();
  if (after.code !== 0) problems.push(`the log does not verify after the record was put back: ${said(after)}`);
  return `record ${record} named`;
}

const said = ({ code, stdout, stderr }: CliAnswer) => `exit code ${code}, ${`${stdout}${stderr}`.slice(-400)}`;

async function untilSealed({ audit }: ChaosWorld, eventId: string, signal: AbortSignal): Promise<string | null> {
  let record: string | null = null;
  const sealed = async () => {
    const { rows } = await audit.query<{ record: string }>(
      `SELECT r.record_id AS record FROM audit.record r WHERE r.event_id = $1
         AND EXISTS (SELECT FROM audit.seal s WHERE (s.epoch, s.last_tx, s.last_seq) >= (r.log_epoch, r.tx_id, r.seq))`,
      [eventId],
    );
    record = rows[0]?.record ?? null;
    return record !== null;
  };
  await until(sealed, { withinMs: 60_000, signal, everyMs: 500 });
  return record;
}

async function asOwner(pool: pg.Pool, change: string, record: string): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query(
      'BEGIN; SET LOCAL lock_timeout = 10000; ALTER TABLE audit.record DISABLE TRIGGER record_append_only',
    );
    await client.query(change, [record]);
    // As it was: the trigger fires for replicas, too.
    await client.query('ALTER TABLE audit.record ENABLE ALWAYS TRIGGER record_append_only; COMMIT');
    client.release();
  } catch (error) {
    client.release(true); // closed, which rolls back
    throw error;
  }
}
