/** `outbox audit erase`: takes a subject's content out of the audit log, with the owner's database URL and the log's keys. */
import { v7 as uuidv7 } from 'uuid';
import { eraseAgain } from '../application/audit/erase/erase-again.js';
import { eraseSubject } from '../application/audit/erase/erase-subject.js';
import type { EraseStore, Subject } from '../application/audit/erase/ports.js';
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
        const records = await eraseAgain({ store, keys, anchor, newId: uuidv7 })();
        if (options.json) print(JSON.stringify({ records }));
        else print(`${records} erased again, by the notes at the anchor`);
        return EXIT.done;
      }
      const of = { tenantId: options.tenant ?? '', subject: subjectOf(options) };
      if (options.dryRun) {
        const records = await store.count(of);
        const failed = await countLeft(store, of.tenantId, of.subject);
        if (options.json) print(JSON.stringify({ records, failedIngestNaming: failed }));
        else print(`${records} records would be erased; nothing was changed`);
        return EXIT.done;
      }
      if (anchor === null) note('no AUDIT_ANCHOR_FILE: after a restore nothing tells whom to erase again', options);
      const { by = '', reason = '' } = options;
      const erase = eraseSubject({ store, keys, anchor, now: () => new Date(), newId: uuidv7 });
      const done = await erase({ ...of, by, reason });
      const left = await countLeft(store, of.tenantId, of.subject);
      if (options.json) print(JSON.stringify({ ...done, failedIngestNaming: left }));
      else tell(done, left);
      return EXIT.done;
    });
  } catch (error) {
    if (!(error instanceof AnchorUnavailableError)) throw error;
    return complain(`${error.message}: ${String((error.cause as Error)?.message)}`, EXIT.unavailable);
  } finally {
    await pool.end();
  }
}

function subjectOf({ actor, target, record }: EraseOptions): Subject {
  if (actor !== undefined) return { kind: 'actor', id: actor };
  if (target !== undefined) return { kind: 'target', ...target };
  if (record !== undefined) return { kind: 'record', id: record };
  throw new Error('expected a subject, which the command line was checked for');
}

/** Of other identities, that name the subject somewhere: for a person to look at. */
async function countLeft(store: EraseStore, tenantId: string, subject: Subject): Promise<number> {
  return subject.kind === 'record' ? 0 : store.countFailedWith(tenantId, JSON.stringify(subject.id));
}

function tell(
  { records, failedIngest, notes }: { records: number; failedIngest: number; notes: number },
  left: number,
): void {
  print(
    `${records} records erased under ${notes} signed ${notes === 1 ? 'note' : 'notes'}, ${failedIngest} of failed-ingest`,
  );
  if (left > 0) print(`${left} of failed-ingest still name the subject: outbox failed-ingest list, show, discard`);
  print('Not done by this, and in docs/erasure.md: the outbox database (events, revisions, attempts, letters),');
  print('VACUUM of both databases, backups and replicas, exports that were given away, logs.');
}
