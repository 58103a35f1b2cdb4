import { createLogTree } from '../application/audit/log/log-tree.js';
import { sha256 } from '../application/audit/log/note-tools.js';
import { type ReadProofs, readProofs } from '../application/audit/log/read-proofs.js';
import { createCheckpointStore } from '../infrastructure/prisma/checkpoint-store.js';
import { createLeafStore } from '../infrastructure/prisma/leaf-store.js';
import type { PgPool } from '../infrastructure/prisma/pg-pool.js';
import { createPlaceStore } from '../infrastructure/prisma/place-store.js';

/** The proofs of the log in an audit database. Needs no keys: what is signed was signed by the worker. */
export function openProofs(pool: PgPool): ReadProofs {
  const store = createLeafStore(pool);
  return readProofs({
    newTree: () => createLogTree({ store, sha256 }),
    checkpoints: createCheckpointStore(pool),
    places: createPlaceStore(pool),
  });
}
