/**
 * Real: published events of twelve products and the OCSF mapping that others made of them, read where they stand (they
 * carry no licence and are no part of this project). Nothing is fake; the database is left to the integration test.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { findMapping } from '../../src/application/delivery/import/mappings/index.js';
import type { ImportedEvent } from '../../src/application/delivery/import/ports.js';
import { toImportedEvent } from '../../src/application/delivery/import/to-imported-event.js';
import { parseAuditEvent } from '../../src/contract/audit-dto.js';
import { toRecord } from '../support/import-record.js';
import { EXPECTED_IMPORTS } from '../support/real-events.js';

const NOW = new Date('2026-11-23T12:00:00Z');
const folder =
  process.env.OUTBOX_REAL_EVENTS_DIR ?? fileURLToPath(new URL('../../../shared/data/real-events', import.meta.url));
const present = existsSync(folder);
if (!present) console.warn(`SKIPPED: no real events at ${folder}; OUTBOX_REAL_EVENTS_DIR names another folder`);

const readLines = (path: string) => readFileSync(`${folder}/${path}`, 'utf8').split('\n').filter(Boolean);

function importLine(line: string, mappingName: string): ImportedEvent {
  const mapping = findMapping(mappingName);
  if (mapping === undefined) throw new Error(`no mapping ${mappingName}`);
  const mapped = toImportedEvent(Buffer.from(line), { mapping, deployment: 'main', tenantId: '', now: NOW });
  if (!mapped.ok) throw new Error(mapped.reason);
  return mapped.event;
}

(present ? describe : describe.skip)('real events', () => {
  it('every file of the collection has its expected counts', () => {
    const files = readdirSync(folder).filter((name) => name.endsWith('.ndjson') && name !== 'manifest.ndjson');
    expect(files.sort()).toEqual([...new Set(EXPECTED_IMPORTS.map(({ file }) => file))].sort());
  });

  it.each(EXPECTED_IMPORTS)('$file with $mapping: $imported in, $replayed replayed, $refused refused', (expected) => {
    const standing = new Map<string, string>();
    const counts = { lines: 0, imported: 0, replayed: 0, refused: 0, timeMissing: 0 };
    for (const line of readLines(expected.file)) {
      const event = importLine(line, expected.mapping);
      const { contentSha256, timeMissing } = event.headers.import;
      const stands = standing.get(event.id);
      counts.lines += 1;
      if (stands === undefined) {
        counts.imported += 1;
        counts.timeMissing += timeMissing ? 1 : 0;
        standing.set(event.id, contentSha256);
      } else if (stands === contentSha256) counts.replayed += 1;
      else counts.refused += 1;

      // The original is whole under `data`: nothing in these files is too large, too deep or unstorable.
      expect(event.payload).toEqual(JSON.parse(line));
      const record = toRecord(event, NOW);
      expect(parseAuditEvent(record, NOW)).toMatchObject({ ok: true });
      expect(record).toMatchObject({ eventId: event.id, data: event.payload });
      expect(record.metadata).not.toHaveProperty('statedIgnored');
    }
    const { file: _file, mapping: _mapping, ...rest } = expected;
    expect(counts).toEqual(rest);
  });
});

// ---- CloudTrail beside OCSF ----------------------------------------------------------------------------------------

type Field = 'actor' | 'action' | 'target' | 'outcome' | 'time';

/** Where we and the OCSF side differ, by line. Each has its reason; a difference that is not here, or no more, fails. */
const DIFFERENCES: Readonly<Record<number, Partial<Record<Field, string>>>> = {
  1: {
    actor: 'upstream pairs this record with the output of a later, anonymised version: same ARN, other principal id',
    target: 'upstream names the acting role session as the user who was created; the record says test_user2',
    outcome: 'upstream gives no status; the record has no errorCode, so the call was carried out',
  },
  2: {
    actor:
      'upstream pairs this record with the output of a later, anonymised version of it: other account and user ids',
    outcome: 'upstream gives status_id 99 (other) for want of an errorCode; without one the call was carried out',
    time: 'upstream pairs this record with the output of a later version of it: 2023, not 2020',
  },
  3: {
    time: 'upstream pairs this record with the output of a later version of it: 2023, not 2022',
  },
};

interface Ocsf {
  readonly activity_name: string;
  readonly class_uid: number;
  readonly time: number;
  readonly status?: string | null;
  readonly api: { readonly operation: string; readonly service: { readonly name: string } };
  readonly actor: { readonly user: OcsfUser };
  readonly user?: OcsfUser;
}
interface OcsfUser {
  readonly name?: string;
  readonly uid?: string;
  /** The ARN in the first draft. */
  readonly uuid?: string;
  readonly uid_alt?: string;
}

const OPERATION_OF_ACTIVITY: Readonly<Record<string, string>> = { Create: 'create', Read: 'read', Logon: 'login' };
const CATEGORY_OF_CLASS: Readonly<Record<number, string>> = {
  3001: 'iam', // Account Change
  3002: 'authentication',
  3005: 'configuration', // API Activity, in the first draft
  6003: 'configuration', // API Activity
};

(present ? describe : describe.skip)('CloudTrail beside OCSF', () => {
  const raw = present ? readLines('aws-cloudtrail.ndjson') : [];
  const expected = present ? readLines('ocsf-expected/aws-cloudtrail.ndjson') : [];
  const pairs = raw.map(
    (line, index) => [index + 1, line, JSON.parse(expected[index] ?? 'null') as Ocsf | null] as const,
  );

  it('has an OCSF side for ten of eleven records', () => {
    expect(pairs.filter(([, , ocsf]) => ocsf === null).map(([line]) => line)).toEqual([11]);
  });

  it.each(pairs.filter(([, , ocsf]) => ocsf !== null))(
    'line %i agrees but for the listed differences',
    (line, text, ocsf) => {
      const event = importLine(text, 'cloudtrail');
      const differing = differences(event, ocsf as Ocsf);
      expect(differing).toEqual(Object.keys(DIFFERENCES[line] ?? {}).sort());
    },
  );

  it('line 11, which OCSF leaves out, is a sign-in of an identity-centre user', () => {
    expect(importLine(raw[10] as string, 'cloudtrail').headers.audit).toMatchObject({
      action: 'aws.signin.credential_challenge',
      category: 'authentication',
      operation: 'login',
      outcome: 'success',
      actor: { type: 'user', id: 'e3644802-3061-7018-86c3-USERID', name: 'test' },
    });
  });
});

function differences(event: ImportedEvent, ocsf: Ocsf): Field[] {
  const audit = toRecord(event, NOW);
  const [target] = audit.targets;
  const snake = ocsf.api.operation.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toLowerCase();
  const service = ocsf.api.service.name.split('.')[0];
  const agrees: Record<Field, boolean> = {
    actor:
      namesSame(ocsf.actor.user, [audit.actor.id, audit.actor.metadata?.principalId]) &&
      (ocsf.actor.user.name ?? null) === (audit.actor.name ?? null),
    action:
      audit.action === `aws.${service}.${snake}` &&
      audit.operation === OPERATION_OF_ACTIVITY[ocsf.activity_name] &&
      audit.category === CATEGORY_OF_CLASS[ocsf.class_uid],
    // OCSF names a user as the target of an account change and of a sign-in; of other calls the service.
    target: ocsf.user
      ? target?.type === 'user' && namesSame(ocsf.user, [target.id, target.metadata?.userId])
      : audit.targets.some(({ type, id }) => type === 'service' && id === ocsf.api.service.name),
    outcome: (ocsf.status ?? '').toLowerCase() === audit.outcome,
    time: ocsf.time === Date.parse(audit.occurredAt),
  };
  return (Object.keys(agrees) as Field[]).filter((field) => !agrees[field]).sort();
}

/** OCSF's versions put the ARN and the principal id into uid, uuid or uid_alt by turns: every id it gives must be ours. */
function namesSame(user: OcsfUser, ours: readonly unknown[]): boolean {
  const theirs = [user.uid, user.uuid, user.uid_alt].filter(Boolean);
  return theirs.length > 0 && theirs.every((id) => ours.includes(id));
}
