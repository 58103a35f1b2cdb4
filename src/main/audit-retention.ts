/** `outbox audit retention`: which months are past keeping, and dropping them now instead of within the hour. */
import { type PartitionOutcome, retainRecords } from '../application/audit/retention/retain-records.js';
import { createFileAnchor } from '../infrastructure/anchor/file-anchor.js';
import { ConfigurationError, loadSettings, requireSetting } from '../infrastructure/config/load-settings.js';
import { processEnvironment } from '../infrastructure/config/process-environment.js';
import { createPool } from '../infrastructure/prisma/pg-pool.js';
import { createRetentionStore } from '../infrastructure/prisma/retention-store.js';
import { createVerifyStore, WHOLE_TABLE_TIMEOUT_MS } from '../infrastructure/prisma/verify-store.js';
import { EXIT } from './exit-codes.js';
import { explainingDatabase } from './explain-database.js';
import { openLogKeys } from './open-log-keys.js';
import { print } from './terminal.js';

export async function runAuditRetention({
  dryRun = false,
  json,
}: {
  dryRun?: boolean;
  json?: boolean;
}): Promise<number> {
  const settings = loadSettings(processEnvironment(), ['audit', 'audit adopt', 'audit retention']);
  const keys = openLogKeys(settings);
  if (keys === null) throw new ConfigurationError(['AUDIT_SIGNING_KEYS: missing']);
  const months = requireSetting(settings.auditRetentionMonths, 'AUDIT_RETENTION_MONTHS');
  const anchor = createFileAnchor(requireSetting(settings.auditAnchorFile, 'AUDIT_ANCHOR_FILE'));
  const url = requireSetting(settings.auditDatabaseUrl, 'AUDIT_DATABASE_URL');
  const pool = createPool(url, { max: 1, statementTimeoutMs: WHOLE_TABLE_TIMEOUT_MS });
  try {
    return await explainingDatabase('audit', async () => {
      const deps = {
        store: createRetentionStore(pool),
        verify: createVerifyStore(pool),
        keys,
        anchor,
        now: () => new Date(),
      };
      const outcomes = await retainRecords(deps)({ months, dryRun });
      if (json) print(JSON.stringify({ outcomes }));
      else for (const outcome of outcomes) print(describe(outcome));
      if (!json && outcomes.length === 0) print(`no month is past ${months} months of keeping`);
      return outcomes.every(({ kind }) => kind === 'dropped' || kind === 'due') ? EXIT.done : EXIT.failed;
    });
  } finally {
    await pool.end();
  }
}

const MEANS = {
  dropped: 'dropped, under a signed note',
  due: 'would be dropped',
  unproven: 'kept',
  broken: 'KEPT, and broken',
  busy: 'in use; try again',
} satisfies Record<PartitionOutcome['kind'], string>;

function describe({ partition, kind, rows, what }: PartitionOutcome): string {
  return `${partition}: ${rows} records, ${MEANS[kind]}${what === null ? '' : `: ${what}`}`;
}
