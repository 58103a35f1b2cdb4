/** `outbox audit prove-export`: records with their proofs, for whoever shall verify them without this database. */
import { once } from 'node:events';
import { createLogTree } from '../application/audit/log/log-tree.js';
import { sha256 } from '../application/audit/log/note-tools.js';
import { exportProofs, NothingSignedError } from '../application/audit/prove/export-proofs.js';
import { loadSettings, requireSetting } from '../infrastructure/config/load-settings.js';
import { processEnvironment } from '../infrastructure/config/process-environment.js';
import { createCheckpointStore } from '../infrastructure/prisma/checkpoint-store.js';
import { createLeafStore } from '../infrastructure/prisma/leaf-store.js';
import { createPool } from '../infrastructure/prisma/pg-pool.js';
import { createProvableStore } from '../infrastructure/prisma/provable-store.js';
import { EXIT } from './exit-codes.js';
import { explainingDatabase } from './explain-database.js';
import { complain } from './terminal.js';

export async function runAuditProveExport({ tenant }: { tenant?: string }): Promise<number> {
  const settings = loadSettings(processEnvironment(), ['audit']);
  const pool = createPool(requireSetting(settings.auditDatabaseUrl, 'AUDIT_DATABASE_URL'), { max: 1 });
  try {
    return await explainingDatabase('audit', async () => {
      const tree = createLogTree({ store: createLeafStore(pool), sha256 });
      const deps = { store: createProvableStore(pool), checkpoints: createCheckpointStore(pool), tree };
      // Not by print: these lines are data, to be verified to the letter, and go to a file.
      for await (const line of exportProofs(deps, { tenantId: tenant ?? null })) {
        if (process.stdout.destroyed) return EXIT.done;
        if (!process.stdout.write(`${line}\n`)) await once(process.stdout, 'drain');
      }
      return EXIT.done;
    });
  } catch (error) {
    if (error instanceof NothingSignedError) return complain(error.message);
    throw error;
  } finally {
    await pool.end();
  }
}
