/** `outbox audit erase`: takes a subject's content out of the audit log, with the owner's database URL and the log's keys. */
import { v7 as uuidv7 } from 'uuid';
import { eraseAgain } from '../application/audit/erase/erase-again.js';
import { countSubject, type EraseOutcome, eraseSubject } from '../application/audit/erase/erase-subject.js';
import type { Subject } from '../application/audit/erase/ports.js';
import { AnchorUnavailableError } from '../application/audit/log/ports.js';
import { createFileAnchor } from '../infrastructure/anchor/file-anchor.js';
import { ConfigurationError, loadSettings, requireSetting } from '../infrastructure/config/load-settings.js';
import { processEnvironment } from '../infrastructure/config/process-environment.js';
import { createEraseStore } from '../infrastructure/prisma/erase-store.js';
import { createPool } from '../infrastructure/prisma/pg-pool.js';
import { EXIT } from './exit-codes.js';
import { explainingDatabase } from './explain-database.js';
import { openLogKeys } from './open-log-keys.js';
import { complain, note, print } from './terminal.js';

export interface EraseOptions {
  readonly tenant?: string;
  readonly actor?: string;
  readonly target?: { readonly type: string; readonly id: string };
  readonly record?: string;
  readonly failedIngest?: string;
  readonly by?: string;
  readonly reason?: string;
  readonly dryRun?: boolean;
  readonly again?: boolean;
  readonly json?: boolean;
}

export async function runAuditErase(options: EraseOptions): Promise<number> {
  const settings = loadSettings(processEnvironment(), ['audit erase']);
  const keys = openLogKeys(settings);
  if (keys === null) throw new ConfigurationError(['AUDIT_SIGNING_KEYS: missing']);
  const anchor = settings.auditAnchorFile === undefined ? null : createFileAnchor(settings.auditAnchorFile);
  const pool = createPool(requireSetting(settings.auditDatabaseUrl, 'AUDIT_DATABASE_URL'), {
    max: 1,
    statementTimeoutMs: 600_000,
  });
  try {
    return await explainingDatabase('audit', async () => {
      const store = createEraseStore(pool);
      if (options.again) {
        if (anchor === null) throw new ConfigurationError(['AUDIT_ANCHOR_FILE: missing (--again reads it)']);
        const { records, failedIngest } = await eraseAgain({ store, keys, anchor, newId: uuidv7 })();
        if (options.json) print(JSON.stringify({ records, failedIngest }));
        else {
          const more = failedIngest === 0 ? '' : `, ${failedIngest} of failed-ingest`;
          print(`${records} erased again${more}, by the notes at the anchor`);
        }
        return EXIT.done;
      }
      const of = { tenantId: options.tenant ?? '', subject: subjectOf(options) };
      if (options.dryRun) {
        const counted = await countSubject(store, of);
        if (options.json) print(JSON.stringify(counted));
        else {
          const { records, failedIngest } = counted;
          print(`${records} records and ${failedIngest} of failed-ingest would be erased; nothing was changed`);
          tellNaming(counted.failedIngestNaming);
        }
        return EXIT.done;
      }
      if (anchor === null) note('no AUDIT_ANCHOR_FILE: after a restore nothing tells whom to erase again', options);
      const { by = '', reason = '' } = options;
      const erase = eraseSubject({ store, keys, anchor, now: () => new Date(), newId: uuidv7 });
      const done = await erase({ ...of, by, reason });
      const { failedIngestNaming } = await countSubject(store, of);
      if (options.json) print(JSON.stringify({ ...done, failedIngestNaming }));
      else tell(done, failedIngestNaming);
      return EXIT.done;
    });
  } catch (error) {
    if (!(error instanceof AnchorUnavailableError)) throw error;
    return complain(`${error.message}: ${String((error.cause as Error)?.message)}`, 'unavailable');
  } finally {
    await pool.end();
  }
}

function subjectOf({ actor, target, record, failedIngest }: EraseOptions): Subject {
  if (actor !== undefined) return { kind: 'actor', id: actor };
  if (target !== undefined) return { kind: 'target', ...target };
  if (record !== undefined) return { kind: 'record', id: record };
  if (failedIngest !== undefined) return { kind: 'failed_ingest', id: failedIngest };
  throw new Error('expected a subject, which the command line was checked for');
}

function tell({ records, failedIngest, notes }: EraseOutcome, naming: number): void {
  print(
    `${records} records erased under ${notes} signed ${notes === 1 ? 'note' : 'notes'}, ${failedIngest} of failed-ingest`,
  );
  if (failedIngest > 0) print(`Of failed-ingest: discarded and empty, and will not be stored any more.`);
  tellNaming(naming);
  print('Not done by this, and in docs/erasure.md: the outbox database (events, revisions, attempts, letters),');
  print('VACUUM of both databases, backups and replicas, exports that were given away, logs.');
}

/** Those that name the subject somewhere and are not its own, by actor or target: for a person to look at. */
function tellNaming(naming: number): void {
  if (naming > 0)
    print(
      `${naming} open of failed-ingest name the subject elsewhere: outbox failed-ingest list, show, then --failed-ingest ID`,
    );
}
