/** A pool whose every statement is a gate of its job. What it runs on is the real one. */
import type pg from 'pg';
import type { PgPool } from '../../src/infrastructure/prisma/pg-pool.js';
import { type HeldClient, type Job, passGate, track } from './jobs.js';

/** Of duties that no protocol hangs on: nobody chooses when they run. */
const PASSED = new Set(['relay-hold-probes', 'relay-full-destinations', 'lease_take_outbox']);

/** As a connection that breaks: the store then answers STORE.UNAVAILABLE. */
class ConnectionLostError extends Error {
  override readonly name = 'ConnectionLostError';
}

export function gatedPool(job: Job, pool: PgPool): PgPool {
  const connect = async () => gatedClient(job, await track(job, pool.connect(), null));
  return { connect } as unknown as PgPool;
}

function gatedClient(job: Job, real: pg.PoolClient) {
  const { processID } = real as unknown as { processID: number };
  const send = (query: pg.QueryConfig) => track(job, real.query(query), processID);
  const held: HeldClient = {
    inTransaction: false,
    pid: processID,
    async letGo() {
      if (!job.clients.delete(held)) return;
      if (held.inTransaction) await real.query('ROLLBACK');
      held.inTransaction = false;
      real.release();
    },
  };
  job.clients.add(held);

  const end = async (text: 'COMMIT' | 'ROLLBACK') => {
    const ended = await send({ text });
    held.inTransaction = false;
    return ended;
  };
  const broken = async (label: string): Promise<never> => {
    if (held.inTransaction) await end('ROLLBACK');
    throw new ConnectionLostError(`the connection broke: ${label}`);
  };
  const begin = async () => {
    held.inTransaction = true;
    return send({ text: 'BEGIN' });
  };

  return {
    release: () => void track(job, held.letGo(), null),
    async query(query: pg.QueryConfig) {
      const label = query.name ?? query.text;
      if (label === 'BEGIN') return begin();
      if (label === 'ROLLBACK') return end('ROLLBACK');
      if (label === 'relay-claim') job.tokens.add(String(query.values?.[0]));
      const commits = label === 'COMMIT';
      const { outcome } = PASSED.has(label)
        ? { outcome: 'ok' as const }
        : await passGate(job, { kind: commits ? 'commit' : 'statement', label });
      if (outcome === 'refused') return broken(label);
      job.ran.push(label);
      if (commits) {
        const ended = await end('COMMIT');
        return outcome === 'lost' ? broken(label) : ended;
      }
      if (outcome !== 'slow' || held.inTransaction) {
        const result = await send(query);
        return outcome === 'lost' ? broken(label) : result;
      }
      await begin();
      let result: pg.QueryResult;
      try {
        result = await send(query);
      } catch (error) {
        await end('ROLLBACK');
        throw error;
      }
      const last = await passGate(job, { kind: 'commit', label: `commit of ${label}` });
      if (last.outcome === 'refused') return broken(label);
      job.ran.push(`commit of ${label}`);
      await end('COMMIT');
      return last.outcome === 'lost' ? broken(label) : result;
    },
  };
}
