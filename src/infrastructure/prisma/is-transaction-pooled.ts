import pg, { type PoolClient } from 'pg';
import { type PgPool, toStoreError } from './pg-pool.js';

const TIMEOUT_MS = 5_000;
const ROUNDS = 3;
/** PgBouncer has one state, 08P01, for all that it says itself, also that it is shutting down. */
const NO_TRANSACTIONS = /transaction blocks not allowed in statement pooling mode/;

/**
 * Whether a pooler in between gives each transaction, or each statement, a session of its own choosing: two connections of ours are then seen on
 * one session of the server, or one of them on two. Where other clients keep a pooler busy each round may miss it, hence
 * three. Throws as `runStatement` does; within five seconds.
 */
export async function isTransactionPooled(pool: PgPool): Promise<boolean> {
  try {
    return await withTwo(pool, (one, other) => within(look(one, other)));
  } catch (error) {
    throw toStoreError(error);
  }
}

/** Closed behind it, not kept: a statement that was not answered may still be on the wire. */
async function withTwo<T>(pool: PgPool, work: (one: PoolClient, other: PoolClient) => Promise<T>): Promise<T> {
  const one = await pool.connect();
  try {
    const other = await pool.connect();
    try {
      return await work(one, other);
    } finally {
      other.release(true);
    }
  } finally {
    one.release(true);
  }
}

async function look(one: PoolClient, other: PoolClient): Promise<boolean> {
  for (let round = 0; round < ROUNDS; round += 1) {
    const before = await sessionOf(one);
    if (!(await begins(other))) return true;
    const held = await sessionOf(other);
    const after = await sessionOf(one);
    await other.query('ROLLBACK');
    if (held === before || after !== before) return true;
  }
  return false;
}

/** False: behind a pooler that gives each statement a session, and so allows no transaction. */
async function begins(client: PoolClient): Promise<boolean> {
  try {
    await client.query('BEGIN');
    return true;
  } catch (error) {
    if (error instanceof pg.DatabaseError && NO_TRANSACTIONS.test(error.message)) return false;
    throw error;
  }
}

async function sessionOf(client: PoolClient): Promise<number | undefined> {
  return (await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]?.pid;
}

async function within<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const passed = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`expected an answer within ${TIMEOUT_MS} ms, none came`)), TIMEOUT_MS);
  });
  work.catch(() => undefined); // it may fail when nobody waits for it any more
  try {
    return await Promise.race([work, passed]);
  } finally {
    clearTimeout(timer);
  }
}
