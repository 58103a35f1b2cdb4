import { type LeafStore, LogBrokenError } from '../../application/audit/log/ports.js';
import { HASH_BYTES } from '../../domain/audit/merkle-hash.js';
import { runAuditStatement } from './audit-store.js';
import type { PgPool } from './pg-pool.js';

const TIMEOUT_MS = 10_000;

/** The sealed leaves and their tiles in PostgreSQL, by named statements over the pool given. */
export function createLeafStore(pool: PgPool): LeafStore {
  const run = <Row extends object>(name: string, text: string, values: readonly unknown[] = []) =>
    runAuditStatement<Row>(pool, { name, text, values, timeoutMs: TIMEOUT_MS });
  return {
    async readSize() {
      const [row] = await run<{ size: string }>('audit_read_log_size', READ_SIZE);
      return Number(row?.size ?? 0);
    },

    async readHashes(first, count) {
      const rows = await run<{ at: string; part: Buffer }>('audit_read_hashes', READ_HASHES, [first, count]);
      const hashes: Uint8Array[] = [];
      for (const { at, part } of rows) {
        if (Number(at) !== first + hashes.length) break; // a gap, told below
        for (let byte = 0; byte < part.length; byte += HASH_BYTES) hashes.push(part.subarray(byte, byte + HASH_BYTES));
      }
      if (hashes.length !== count) {
        throw new LogBrokenError(
          `expected the hashes of leaves ${first} to ${first + count - 1}, found ${hashes.length}`,
        );
      }
      return hashes;
    },

    async readTiles(level, first, count) {
      const rows = await run<{ index: string; root: Buffer }>('audit_read_tiles', READ_TILES, [level, first, count]);
      return new Map(rows.map(({ index, root }) => [Number(index), root]));
    },

    async countTiles(level) {
      const [row] = await run<{ count: string }>('audit_count_tiles', COUNT_TILES, [level]);
      return Number(row?.count ?? 0);
    },

    async insertTiles(tiles) {
      await run('audit_insert_tiles', INSERT_TILES, [
        tiles.map(({ level }) => level),
        tiles.map(({ index }) => index),
        tiles.map(({ root }) => Buffer.from(root)),
      ]);
    },
  };
}

const READ_SIZE = 'SELECT first_index + size AS size FROM audit.seal ORDER BY first_index DESC LIMIT 1';

/** $1 the first leaf, $2 how many: of each seal that holds some of them that part, from the seal that holds the first on. */
const READ_HASHES = `
SELECT greatest(s.first_index, $1::bigint) AS at,
  substring(s.hashes FROM (greatest($1::bigint - s.first_index, 0) * 32 + 1)::integer
    FOR (least(s.size, $1::bigint + $2::bigint - s.first_index) * 32 - greatest($1::bigint - s.first_index, 0) * 32)::integer) AS part
FROM audit.seal s
WHERE s.first_index < $1::bigint + $2::bigint
  AND s.first_index >= (SELECT max(b.first_index) FROM audit.seal b WHERE b.first_index <= $1::bigint)
  AND s.first_index + s.size > $1::bigint
ORDER BY s.first_index`;

const READ_TILES = `
SELECT index, root FROM audit.tile
WHERE level = $1::smallint AND index >= $2::bigint AND index < $2::bigint + $3::bigint`;

/** They are written in order, a run in one statement: where the greatest stands, all before it do. */
const COUNT_TILES = 'SELECT max(index) + 1 AS count FROM audit.tile WHERE level = $1::smallint';

const INSERT_TILES = `
INSERT INTO audit.tile (level, index, root)
SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::bytea[]) ON CONFLICT DO NOTHING`;
