import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { eraseSubject } from '../../src/application/audit/erase/erase-subject.js';
import { createIngestRules } from '../../src/application/audit/ingest-rules.js';
import { fillTiles } from '../../src/application/audit/log/fill-tiles.js';
import type { LogKeys } from '../../src/application/audit/log/log-keys.js';
import { NOTE_TOOLS, sha256 } from '../../src/application/audit/log/note-tools.js';
import type { Anchor } from '../../src/application/audit/log/ports.js';
import { recordAuditLog } from '../../src/application/audit/record-audit-log.js';
import { retainRecords } from '../../src/application/audit/retention/retain-records.js';
import type { VerifyReport } from '../../src/application/audit/verify/report.js';
import { type VerifyRange, verifyLog } from '../../src/application/audit/verify/verify-log.js';
import type { AuditEvent } from '../../src/contract/audit-dto.js';
import type { ApiKey } from '../../src/domain/audit/api-key.js';
import { createAuditStore } from '../../src/infrastructure/prisma/audit-store.js';
import { createEraseStore } from '../../src/infrastructure/prisma/erase-store.js';
import { createFailedIngestStore } from '../../src/infrastructure/prisma/failed-ingest-store.js';
import { createLeafStore } from '../../src/infrastructure/prisma/leaf-store.js';
import { createPool, type PgPool } from '../../src/infrastructure/prisma/pg-pool.js';
import { createRetentionStore } from '../../src/infrastructure/prisma/retention-store.js';
import { createVerifyStore } from '../../src/infrastructure/prisma/verify-store.js';
import { createTestDatabases } from '../support/databases.js';
import { event, FINGERPRINT_KEYS, sent } from './ingest-set-up.js';
import { leafOfRow, newKeys, openLog, tempAnchor } from './log-set-up.js';

export interface SealedLog {
  readonly auditUrl: string;
  readonly pool: PgPool;
  readonly keys: LogKeys;
  readonly anchor: Anchor;
  readonly anchorPath: string;
  /** Writes events in one statement; of this tenant. Returns their record ids. */
  write(events: number | readonly AuditEvent[], tenantId?: string, now?: Date): Promise<string[]>;
  seal(): Promise<number>;
  checkpoint(): Promise<unknown>;
  adopt: ReturnType<typeof openLog>['adopt'];
  /** As if the database had been restored into another cluster: the next records are of a new epoch. */
  nextEpoch(): Promise<void>;
  verify(range?: VerifyRange, options?: VerifyOptions): Promise<VerifyReport>;
  /**
   * What verification says after a change that is taken back. The change and verification are one transaction: what it
   * sees is what another session would see after the commit.
   */
  tampered(change: (client: pg.Client) => Promise<unknown>, options?: VerifyOptions): Promise<VerifyReport>;
  /** Record ids in the order of the log. */
  order(): Promise<string[]>;
  stop(): Promise<void>;
}

export interface VerifyOptions {
  /** Default: the log's own. */
  readonly anchor?: Anchor | null;
  readonly keys?: Pick<LogKeys, 'base' | 'verifiers'>;
  readonly range?: VerifyRange;
}

/** A database of its own, with writer, sealer, checkpointer and a file anchor. */
export async function startSealedLog({ limit = 50 }: { readonly limit?: number } = {}): Promise<SealedLog> {
  const databases = await createTestDatabases();
  const { auditUrl } = databases;
  const pool = createPool(auditUrl, { max: 10 });
  const place = tempAnchor();
  const keys = newKeys();
  const log = openLog(pool, { keys, anchor: place.anchor, limit });
  const record = recordAuditLog({
    store: createAuditStore(pool),
    failedIngest: createFailedIngestStore(pool),
    fingerprintKeys: FINGERPRINT_KEYS,
    rules: createIngestRules(),
    log: { error: (fields) => expect(fields).toBe(undefined) },
  });
  const verifyOn = (on: PgPool, { anchor = place.anchor, keys: known = keys, range = {} }: VerifyOptions = {}) =>
    verifyLog({ store: createVerifyStore(on), leaves: createLeafStore(on), tools: NOTE_TOOLS, keys: known, anchor })(
      range,
    );
  const order = async () =>
    (await pool.query('SELECT record_id FROM audit.record ORDER BY log_epoch, tx_id, seq')).rows.map(
      (row) => row.record_id as string,
    );
  return {
    auditUrl,
    pool,
    keys,
    anchor: place.anchor,
    anchorPath: place.path,
    async write(events, tenantId, now = new Date()) {
      const list = typeof events === 'number' ? Array.from({ length: events }, () => event()) : events;
      const key: ApiKey = {
        id: randomUUID(),
        name: 't',
        prefix: 't',
        scopes: ['audit:write'],
        tenantId: tenantId ?? null,
        ratePerMinute: null,
      };
      const outcomes = await record({ key, now, events: list.map(sent) });
      return outcomes.map((outcome) => {
        if (outcome.kind !== 'created') throw new Error(`expected a new record, got ${outcome.kind}`);
        return outcome.receipt.recordId;
      });
    },
    seal: log.seal,
    checkpoint: log.checkpoint,
    adopt: log.adopt,
    async nextEpoch() {
      await pool.query('ALTER TABLE audit.epoch DISABLE TRIGGER ALL');
      await pool.query(
        `UPDATE audit.epoch SET cluster_id = 'before ' || epoch WHERE epoch = (SELECT max(epoch) FROM audit.epoch)`,
      );
      await pool.query('ALTER TABLE audit.epoch ENABLE ALWAYS TRIGGER epoch_append_only');
      await pool.query('ALTER TABLE audit.epoch ENABLE ALWAYS TRIGGER epoch_no_truncate');
      await pool.query('SELECT audit.follow_cluster()');
    },
    verify: (range = {}, options = {}) => verifyOn(pool, { ...options, range }),
    async tampered(change, options) {
      const client = new pg.Client({ connectionString: auditUrl });
      await client.connect();
      try {
        await client.query('BEGIN');
        await disableTriggers(client);
        await change(client);
        return await verifyOn(poolOf(client), options);
      } finally {
        await client.end();
      }
    },
    order,
    async stop() {
      await pool.end();
      await databases.drop();
      place.remove();
    },
  };
}

/** A partition of the past, `2025_05`, as there was one when that month was written. This month has one already. */
export async function addMonth(pool: PgPool, month: string): Promise<void> {
  const [year, number] = month.split('_').map(Number) as [number, number];
  const edge = (at: number) => new Date(Date.UTC(year, at)).toISOString();
  const name = `audit.record_${month}`;
  const { rows } = await pool.query('SELECT to_regclass($1) IS NOT NULL AS made', [name]);
  if (rows[0]?.made) return;
  await pool.query(`CREATE TABLE ${name} (LIKE audit.record INCLUDING ALL)`);
  await pool.query(
    `ALTER TABLE audit.record ATTACH PARTITION ${name} FOR VALUES FROM ('${edge(number - 1)}') TO ('${edge(number)}')`,
  );
}

/** Retention at this time; records are kept for so many months. */
export const retain = (log: SealedLog, { now, months, pool = log.pool }: RetainOptions) =>
  retainRecords({
    store: createRetentionStore(pool),
    verify: createVerifyStore(pool),
    keys: log.keys,
    anchor: log.anchor,
    now: () => now,
  })({ months, dryRun: false });

interface RetainOptions {
  readonly now: Date;
  readonly months: number;
  readonly pool?: PgPool;
}

const GUARDED = ['record', 'record_key', 'epoch', 'seal', 'tile', 'checkpoint', 'note'];

/** As the owner who gets past his own triggers; on each partition too. */
async function disableTriggers(client: pg.Client): Promise<void> {
  const { rows } = await client.query(
    `SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'audit.record'::regclass`,
  );
  const tables = [...GUARDED.map((name) => `audit.${name}`), ...rows.map(({ name }) => name as string)];
  for (const table of tables) await client.query(`ALTER TABLE ${table} DISABLE TRIGGER ALL`);
}

/** Every statement of the pool goes through one session, in whatever transaction that is. */
export function poolOf(client: pg.Client): PgPool {
  const lent = { query: client.query.bind(client), release: () => undefined };
  return { connect: async () => lent } as unknown as PgPool;
}

/** By a person's word, as the command does it. */
export async function eraseRecord({ pool, keys, anchor }: SealedLog, id: string): Promise<void> {
  const deps = { store: createEraseStore(pool), keys, anchor, now: () => new Date(), newId: randomUUID };
  await eraseSubject(deps)({ tenantId: '', subject: { kind: 'record', id }, by: 'a', reason: 'b' });
}

/** The leaf of a row as whoever wants to hide an edit makes it. */
export async function leafOf(client: pg.Client, recordId: string): Promise<Buffer> {
  const { rows } = await client.query('SELECT * FROM audit.record WHERE record_id = $1', [recordId]);
  return leafOfRow(rows[0]);
}

/**
 * An edit with everything in a database of `size` leaves made to fit, but for what only the key's holder can sign.
 * `keepTiles`: they are left as they were.
 */
export async function rewrite(
  client: pg.Client,
  of: { readonly recordId: string; readonly index: number; readonly size: number; readonly keepTiles?: boolean },
): Promise<void> {
  const { recordId, index, size, keepTiles = false } = of;
  await client.query(
    `UPDATE audit.record SET outcome = 'failure', body = jsonb_set(body, '{outcome}', '"failure"') WHERE record_id = $1`,
    [recordId],
  );
  const hash = await leafOf(client, recordId);
  await client.query('UPDATE audit.record SET leaf_hash = $2 WHERE record_id = $1', [recordId, hash]);
  await client.query('UPDATE audit.record_key SET leaf_hash = $2 WHERE record_id = $1', [recordId, hash]);
  await client.query(
    `UPDATE audit.seal SET hashes = overlay(hashes PLACING $2 FROM ($1::bigint - first_index)::integer * 32 + 1)
     WHERE first_index <= $1::bigint AND first_index + size > $1::bigint`,
    [index, hash],
  );
  if (keepTiles) return;
  await client.query('DELETE FROM audit.tile');
  await fillTiles({ store: createLeafStore(poolOf(client)), sha256 }, size);
}
