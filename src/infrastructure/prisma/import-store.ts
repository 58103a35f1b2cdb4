import pg from 'pg';
import type { AppendAnswer, ImportedEvent, ImportStore } from '../../application/delivery/import/ports.js';
import { type PgPool, runStatement } from './pg-pool.js';

const TIMEOUT_MS = 30_000;
const UNIQUE_VIOLATION = '23505';
/** Data the database cannot hold (class 22, our own function's checks included), and values over one of its limits. */
const REFUSED = /^(22|54)/;

export function createImportStore(pool: PgPool): ImportStore & { deploymentName(): Promise<string | null> } {
  return {
    async findImported(ids) {
      const rows = await runStatement<{ id: string; hash: string | null }>(pool, {
        name: 'import_find',
        text: `SELECT id, headers->'import'->>'contentSha256' AS hash FROM outbox.event WHERE id = ANY ($1::uuid[])`,
        values: [ids],
        timeoutMs: TIMEOUT_MS,
      });
      return new Map(rows.map(({ id, hash }) => [id, hash]));
    },
    async append(events) {
      try {
        await runStatement(pool, {
          name: 'import_append',
          text: 'SELECT count(*) FROM outbox.record_events($1::jsonb)',
          values: [JSON.stringify(events satisfies readonly ImportedEvent[])],
          timeoutMs: TIMEOUT_MS,
        });
        return { kind: 'appended' };
      } catch (error) {
        return toAnswer(error);
      }
    },
    async deploymentName() {
      const rows = await runStatement<{ name: string }>(pool, {
        name: 'import_deployment',
        text: 'SELECT name FROM outbox.deployment',
        timeoutMs: TIMEOUT_MS,
      });
      return rows[0]?.name ?? null;
    },
  };
}

function toAnswer(error: unknown): AppendAnswer {
  if (error instanceof pg.DatabaseError && error.code === UNIQUE_VIOLATION) return { kind: 'exists' };
  if (error instanceof pg.DatabaseError && REFUSED.test(error.code ?? '')) {
    // Of our own function's message only what is wrong; the number is the event's place in the statement.
    return { kind: 'refused', reason: `the database refuses it: ${error.message.replace(/^event \d+: /, '')}` };
  }
  throw error;
}
