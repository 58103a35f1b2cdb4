import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { leafHash } from '../../src/application/audit/leaf-hash.js';
import { adoptLoss } from '../../src/application/audit/log/adopt-loss.js';
import { type LogKeys, logKeys } from '../../src/application/audit/log/log-keys.js';
import { createLogTree } from '../../src/application/audit/log/log-tree.js';
import { NOTE_TOOLS, sha256 } from '../../src/application/audit/log/note-tools.js';
import type { Anchor, CheckpointStore } from '../../src/application/audit/log/ports.js';
import { sealRecords } from '../../src/application/audit/log/seal-records.js';
import { writeCheckpoint } from '../../src/application/audit/log/write-checkpoint.js';
import { compactRange } from '../../src/domain/audit/compact-range.js';
import { signerKey } from '../../src/domain/audit/note-key.js';
import { createFileAnchor } from '../../src/infrastructure/anchor/file-anchor.js';
import { createCheckpointStore } from '../../src/infrastructure/prisma/checkpoint-store.js';
import { createLeafStore } from '../../src/infrastructure/prisma/leaf-store.js';
import type { PgPool } from '../../src/infrastructure/prisma/pg-pool.js';
import { createSealStore } from '../../src/infrastructure/prisma/seal-store.js';

export const BASE = 'log.test/audit';
export const newSigner = (name = BASE) => signerKey(NOTE_TOOLS, name, randomBytes(32));
export const newKeys = (): LogKeys => logKeys({ base: BASE, signers: [newSigner()], verifiers: [] });

const GOES_ON = new AbortController().signal;
const SILENT = { warn: () => undefined };

/** Sealer, checkpointer and anchor on one database, each with what a test wants to replace. */
export function openLog(
  pool: PgPool,
  given: {
    readonly keys?: LogKeys;
    readonly anchor?: Anchor | null;
    readonly checkpoints?: Partial<CheckpointStore>;
    readonly limit?: number;
  } = {},
) {
  const { keys = newKeys(), anchor = null, limit } = given;
  const leaves = createLeafStore(pool);
  const checkpoints = { ...createCheckpointStore(pool), ...given.checkpoints };
  // Another one each time: what a process has in its cache must not hide what the database says.
  const tree = () => createLogTree({ store: leaves, sha256 });
  const seal = sealRecords({ store: createSealStore(pool), log: SILENT, ...(limit === undefined ? {} : { limit }) });
  return {
    keys,
    leaves,
    checkpoints,
    tree,
    seal: () => seal(GOES_ON),
    checkpoint: () => writeCheckpoint({ leaves, checkpoints, anchor, keys })(),
    adopt: adoptLoss({ leaves, tree: tree(), checkpoints, anchor, keys }),
  };
}

/** A file anchor in a folder of its own. */
export function tempAnchor(): { readonly anchor: Anchor; readonly path: string; again(): Anchor; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'anchor-'));
  const path = join(folder, 'anchor.ndjson');
  return {
    anchor: createFileAnchor(path),
    path,
    again: () => createFileAnchor(path),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

export interface SealedRow {
  readonly firstIndex: number;
  readonly size: number;
  readonly epoch: number;
  readonly hashes: Buffer;
}

export async function readSeals(pool: PgPool): Promise<SealedRow[]> {
  const { rows } = await pool.query(
    'SELECT first_index::int AS "firstIndex", size, epoch, hashes FROM audit.seal ORDER BY first_index',
  );
  return rows;
}

/** Every leaf that is sealed, in hex, seal by seal without a gap. */
export async function readLeaves(pool: PgPool): Promise<string[]> {
  const seals = await readSeals(pool);
  let next = 0;
  for (const { firstIndex, size } of seals) {
    expect(firstIndex).toBe(next);
    next += size;
  }
  return seals.flatMap(({ hashes }) => hashes.toString('hex').match(/.{64}/g) ?? []);
}

/** The leaves of all records in the order in which they must be sealed. */
export async function recordLeaves(pool: PgPool): Promise<string[]> {
  const { rows } = await pool.query(
    `SELECT encode(leaf_hash, 'hex') AS hash FROM audit.record ORDER BY log_epoch, tx_id, seq`,
  );
  return rows.map(({ hash }) => hash);
}

export function rootOf(leaves: readonly string[]): Uint8Array {
  const range = compactRange(sha256);
  for (const leaf of leaves) range.append(Buffer.from(leaf, 'hex'));
  return range.root();
}

/** As the owner who gets past his own triggers. */
export async function withoutTriggers(
  pool: PgPool,
  tables: readonly string[],
  work: () => Promise<unknown>,
): Promise<void> {
  for (const table of tables) await pool.query(`ALTER TABLE audit.${table} DISABLE TRIGGER ALL`);
  await work();
  for (const table of tables) {
    const { rows } = await pool.query(
      'SELECT tgname FROM pg_trigger WHERE tgrelid = $1::regclass AND NOT tgisinternal',
      [`audit.${table}`],
    );
    for (const { tgname } of rows) await pool.query(`ALTER TABLE audit.${table} ENABLE ALWAYS TRIGGER ${tgname}`);
  }
}

/** The leaf's hash of a row as the driver gives it, all columns. */
// biome-ignore lint/suspicious/noExplicitAny: whatever stands in the row
export function leafOfRow(row: any): Buffer {
  return leafHash({
    recordId: row.record_id,
    recordedAt: row.recorded_at.toISOString(),
    tenantId: row.tenant_id,
    via: row.via,
    keyId: row.key_id,
    leafVersion: row.leaf_version,
    salt: row.salt.toString('hex'),
    event: row.body,
  });
}
