/** `outbox audit keygen | status | adopt`: the audit log as a log, on its own database. */
import { randomBytes } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import { adoptLoss } from '../application/audit/log/adopt-loss.js';
import { createLogTree } from '../application/audit/log/log-tree.js';
import { NOTE_TOOLS, sha256 } from '../application/audit/log/note-tools.js';
import { AnchorUnavailableError } from '../application/audit/log/ports.js';
import { countOf, describeHolder, findLogTrouble, readLogStatus } from '../application/audit/log/read-log-status.js';
import { findBaseProblem } from '../domain/audit/checkpoint.js';
import { formatSignerKey, formatVerifierKey, signerKey } from '../domain/audit/note-key.js';
import { createFileAnchor } from '../infrastructure/anchor/file-anchor.js';
import { loadSettings, requireSetting } from '../infrastructure/config/load-settings.js';
import { processEnvironment } from '../infrastructure/config/process-environment.js';
import type { Settings, SettingsUser } from '../infrastructure/config/settings.js';
import { createCheckpointStore } from '../infrastructure/prisma/checkpoint-store.js';
import { createLagStore } from '../infrastructure/prisma/lag-store.js';
import { createLeafStore } from '../infrastructure/prisma/leaf-store.js';
import { createPool, type PgPool } from '../infrastructure/prisma/pg-pool.js';
import { EXIT } from './exit-codes.js';
import { explainingDatabase } from './explain-database.js';
import { openLogKeys } from './open-log-keys.js';
import { complain, note, print } from './terminal.js';
import { UsageError } from './usage-error.js';

/** Prints the secret key, and the public one that belongs to it. Needs no database. */
export function runKeygen({ origin, json }: { origin: string; json?: boolean }): number {
  const problem = findBaseProblem(origin);
  if (problem !== null) throw new UsageError(`--origin: ${problem}`, { command: 'outbox audit keygen' });
  const key = signerKey(NOTE_TOOLS, origin, randomBytes(32));
  const [signer, verifier] = [formatSignerKey(key), formatVerifierKey(key)];
  if (json) print(JSON.stringify({ signer, verifier }));
  else {
    print(signer);
    print(verifier);
    note('The first line is secret, for AUDIT_SIGNING_KEYS. The second is public: give it to whoever verifies.', {});
  }
  return EXIT.done;
}

/** How far sealing and signing have come. */
export function runAuditStatus({ json }: { json?: boolean }): Promise<number> {
  return withDatabase('audit', async (pool, settings) => {
    const keys = openLogKeys(settings);
    const checkpoints = createCheckpointStore(pool);
    const checkpointMs = settings.auditCheckpointMs;
    const status = await readLogStatus({ lag: createLagStore(pool), checkpoints, keys, checkpointMs })();
    const trouble = findLogTrouble(status);
    if (json) {
      print(JSON.stringify({ ...status, trouble }));
      return EXIT.done;
    }
    const { size, unsealed, checkpoint, heldBy } = status;
    const oldest = unsealed.oldestSeconds === null ? '' : `, the oldest for ${unsealed.oldestSeconds} s`;
    print(`sealed      ${size} records`);
    print(`unsealed    ${countOf(unsealed)}${oldest}`);
    if (checkpoint === null) print('checkpoint  none');
    else {
      const signed = {
        true: 'signed by a known key',
        false: 'SIGNED BY NO KNOWN KEY',
        null: 'no keys here to check it',
      };
      const where = checkpoint.anchor ?? 'not anchored';
      print(
        `checkpoint  ${checkpoint.size} records, ${checkpoint.ageSeconds} s ago, branch ${checkpoint.branch}, ${where}`,
      );
      print(`            ${signed[`${checkpoint.signed}`]}`);
    }
    if (heldBy !== null) print(`held up by  ${describeHolder(heldBy)}`);
    return EXIT.done;
  });
}

/** Accepts a loss, by a person's word. */
export function runAuditAdopt(options: { lost: true; by: string; reason: string; json?: boolean }): Promise<number> {
  return withDatabase('audit adopt', async (pool, settings) => {
    const keys = openLogKeys(settings);
    if (keys === null) throw new Error('expected keys, which the settings were checked for');
    const anchor = settings.auditAnchorFile === undefined ? null : createFileAnchor(settings.auditAnchorFile);
    const leaves = createLeafStore(pool);
    const tree = createLogTree({ store: leaves, sha256 });
    const adopt = adoptLoss({ leaves, tree, checkpoints: createCheckpointStore(pool), anchor, keys });
    const { by, reason, json } = options;
    try {
      const outcome = await adopt({ id: uuidv7(), now: new Date(), by, reason });
      if (outcome.kind === 'nothing_lost') {
        return complain(`nothing is lost: all ${outcome.checkpoints} checkpoints that are known are of this log`);
      }
      const { branch, kept, lost } = outcome.note;
      if (json) {
        const size = ({ branch: of, size }: typeof kept) => ({ branch: of, size });
        print(JSON.stringify({ branch, kept: size(kept), lost: size(lost) }));
      } else {
        print(
          `branch ${branch} begins: ${kept.size} records are kept, those up to ${lost.size} of branch ${lost.branch} are given up`,
        );
      }
      return EXIT.done;
    } catch (error) {
      if (!(error instanceof AnchorUnavailableError)) throw error;
      return complain(`${error.message}: ${String((error.cause as Error)?.message)}`, 'unavailable');
    }
  });
}

async function withDatabase(
  user: SettingsUser,
  work: (pool: PgPool, settings: Settings) => Promise<number>,
): Promise<number> {
  const settings = loadSettings(processEnvironment(), [user]);
  const pool = createPool(requireSetting(settings.auditDatabaseUrl, 'AUDIT_DATABASE_URL'), { max: 1 });
  try {
    return await explainingDatabase('audit', () => work(pool, settings));
  } finally {
    await pool.end();
  }
}
