/**
 * Real: published events of Okta, GitHub, Kubernetes (EKS), Windows and Exchange beside the OCSF that others made of them, read
 * where they stand, as in import-real-events.test.ts. Nothing is fake.
 */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { IMPORT_MAPPINGS } from '../../src/application/delivery/import/mappings/index.js';
import { toImportedEvent } from '../../src/application/delivery/import/to-imported-event.js';
import type { AuditEvent } from '../../src/contract/audit-dto.js';
import { toRecord } from '../support/import-record.js';

const NOW = new Date('2026-11-23T12:00:00Z');
const folder =
  process.env.OUTBOX_REAL_EVENTS_DIR ?? fileURLToPath(new URL('../../../shared/data/real-events', import.meta.url));
const present = existsSync(folder);
if (!present) console.warn(`SKIPPED: no real events at ${folder}; OUTBOX_REAL_EVENTS_DIR names another folder`);
const readLines = (path: string) =>
  present ? readFileSync(`${folder}/${path}`, 'utf8').split('\n').filter(Boolean) : [];

type Field = 'actor' | 'category' | 'ip' | 'operation' | 'outcome' | 'target' | 'time';

const NO_STATUS = 'upstream gives no status; GitHub writes what was done and has no field for it';
const EASTERN = 'upstream takes the local time of the text, which names no zone, for US Eastern time';
const MAIL_STATUS = 'upstream gives status_id 99 (other) and leaves the word to its reader';

/** Where we and the OCSF side differ, by line. A difference that is not here, or no more, fails. */
const DIFFERENCES: Readonly<Record<string, Readonly<Record<number, Partial<Record<Field, string>>>>>> = {
  okta: {
    1: {
      category: 'an API token is a credential of an account; upstream files it under API Activity, as any call',
      target: 'upstream names none; the event names the token',
    },
    2: {
      target: 'the event names no target; upstream takes the actor for it',
      time: 'upstream moved the year: the event says 2023, its output 2024',
    },
    3: { target: 'upstream takes the actor for the user of the sign-in; the event names what was signed in to' },
    4: {
      operation: 'the finding was created; what it is about is a request that was denied',
      target: 'upstream names the URL of the request; the event names no target',
    },
    5: { category: 'a policy is configuration; upstream has one class for managing anything' },
  },
  github: {
    1: {
      operation: 'OCSF has no activity for a push and upstream says Other; it changes the repository',
      outcome: NO_STATUS,
    },
    2: { ip: 'upstream gives another address than the event has', outcome: NO_STATUS },
    4: { outcome: NO_STATUS },
    5: { outcome: NO_STATUS, target: 'upstream gives the user id 51112, the event 222222' },
  },
  'aws-eks-audit': {
    1: { ip: '12.000.22.33, as upstream anonymised it, is no IP address' },
    2: { ip: '12.000.22.33, as upstream anonymised it, is no IP address' },
  },
  'windows-security': {
    2: { time: EASTERN },
    3: {
      actor: 'the null SID is nobody: the actor is anonymous',
      target: 'the null SID is nobody’s id either: the account that was tried is known by its name',
      time: EASTERN,
    },
    4: { time: EASTERN },
    5: { time: EASTERN },
    6: {
      category: 'a privilege that was used, or refused, is authorization; upstream calls it a resource',
      operation: 'a privileged service was called; upstream says Access',
      target: 'upstream names the resource "-", which is no name',
      time: EASTERN,
    },
    7: { time: EASTERN },
    8: { time: EASTERN },
  },
  'o365-messagetrace': {
    2: { outcome: MAIL_STATUS },
    4: { outcome: MAIL_STATUS },
    8: { outcome: MAIL_STATUS },
    9: { outcome: MAIL_STATUS },
  },
};

const MAPPING_OF: Readonly<Record<string, string>> = {
  okta: 'okta',
  github: 'github',
  'aws-eks-audit': 'kubernetes-audit',
  'windows-security': 'windows-security',
  'o365-messagetrace': 'o365-message-trace',
};

interface Named {
  readonly uid?: string | null;
  readonly name?: string | null;
}
interface Ocsf {
  readonly activity_id: number;
  readonly activity_name?: string;
  readonly class_uid: number;
  readonly time: number;
  readonly status_id?: number;
  readonly action?: string;
  readonly api?: { readonly response?: { readonly code: number } };
  readonly actor?: { readonly user?: Named };
  readonly email?: { readonly smtp_from: string; readonly smtp_to: readonly string[] };
  readonly src_endpoint?: { readonly ip?: string };
  readonly user?: Named;
  readonly group?: Named;
  readonly resources?: readonly Named[];
  readonly entity?: Named & { readonly policy?: Named };
  readonly win_resource?: Named;
  readonly process?: { readonly file: { readonly path: string } };
}

/** By class: Account Change, Entity and Group Management, Authentication, Finding, Process, Resource, Email, API Activity. */
const CATEGORIES_OF_CLASS: Readonly<Record<number, readonly string[]>> = {
  3001: ['iam'],
  3004: ['iam'],
  3006: ['iam'],
  3002: ['authentication'],
  2004: ['system'],
  1007: ['system'],
  1010: ['data'],
  4009: ['system'],
  6003: ['configuration', 'data'],
};
const OPERATIONS_OF_ACTIVITY: Readonly<Record<string, readonly string[]>> = {
  Create: ['create'],
  Lock: ['update'],
  'Add User': ['create', 'update'],
  Logon: ['login'],
  Launch: ['execute'],
  Terminate: ['other'],
  Access: ['other'], // to read or to write, the event does not say
  Trace: ['other'],
  Other: ['other'],
};

describe.each(Object.keys(MAPPING_OF))('%s beside OCSF', (file) => {
  const expected = readLines(`ocsf-expected/${file}.ndjson`);
  const pairs = readLines(`${file}.ndjson`).flatMap((line, index) => {
    const ocsf = JSON.parse(expected[index] ?? 'null') as Ocsf | null;
    return ocsf === null ? [] : [[index + 1, line, ocsf] as const];
  });
  const test = present ? it.each(pairs) : it.skip.each([[0, '', {} as Ocsf] as const]);

  test('line %i agrees but for the listed differences', (line, text, ocsf) => {
    const mapping = IMPORT_MAPPINGS.find(({ name }) => name === MAPPING_OF[file]) ?? null;
    const mapped = toImportedEvent(Buffer.from(text), { mapping, deployment: 'main', tenantId: '', now: NOW });
    if (!mapped.ok) throw new Error(mapped.reason);
    const differing = differences(toRecord(mapped.event, NOW), ocsf);
    expect(differing).toEqual(Object.keys(DIFFERENCES[file]?.[line] ?? {}).sort());
  });
});

function differences(audit: AuditEvent, ocsf: Ocsf): Field[] {
  const ip = ocsf.src_endpoint?.ip;
  const agrees: Record<Field, boolean> = {
    actor: sameActor(audit, ocsf),
    category: CATEGORIES_OF_CLASS[ocsf.class_uid]?.includes(audit.category) ?? false,
    ip: ip === undefined || ip === '-' || ip === audit.context?.ip,
    operation: OPERATIONS_OF_ACTIVITY[activityOf(ocsf)]?.includes(audit.operation) ?? false,
    outcome: audit.outcome === outcomeOf(ocsf),
    target: sameTargets(audit, ocsf),
    // Seconds, milliseconds or microseconds, by upstream's own versions; digits that it dropped do not count.
    time: timesOf(ocsf.time).some(
      (time) => Math.floor(Date.parse(audit.occurredAt) / time.unit) * time.unit === time.ms,
    ),
  };
  return (Object.keys(agrees) as Field[]).filter((field) => !agrees[field]).sort();
}

function sameActor(audit: AuditEvent, { actor, email, class_uid }: Ocsf): boolean {
  if (email !== undefined) return audit.actor.id === email.smtp_from;
  const user = actor?.user;
  // A finding names nobody who acted.
  if (user === undefined) return class_uid === 2004;
  return [audit.actor.id, audit.actor.metadata?.uid].includes(user.uid ?? '') && audit.actor.name === user.name;
}

function activityOf({ activity_name: name, activity_id: id, class_uid: uid }: Ocsf): string {
  return name ?? (uid === 1010 && id === 1 ? 'Access' : 'Other');
}

function outcomeOf({ status_id: status, action, api }: Ocsf): string {
  if (action === 'Denied') return 'denied';
  if (api?.response !== undefined) return api.response.code < 400 ? 'success' : 'failure';
  return status === 1 ? 'success' : status === 2 ? 'failure' : 'unknown';
}

/** Everything that they name must be one of our targets, by all the names they give it; where they name none we do not. */
function sameTargets({ targets }: AuditEvent, ocsf: Ocsf): boolean {
  const { user, group, resources = [], entity, win_resource: resource, process, email, actor } = ocsf;
  const theirs: Named[] = [
    ...[user, group, entity?.policy ?? entity].flatMap((one) => (one === undefined ? [] : [one])),
    ...resources.map(({ uid, name }) => ({ uid: uid ?? null, name: name ?? null })),
    ...(resource === undefined ? [] : [{ name: resource.name ?? null }]), // its uid is a handle
    ...(process === undefined ? [] : [{ name: process.file.path }]),
    ...(email?.smtp_to ?? []).map((name) => ({ name })),
  ];
  if (theirs.length === 0 && actor !== undefined) return targets.length === 0;
  return theirs.every(({ uid, name }) =>
    targets.some((target) => [uid, name].every((given) => !given || given === target.id || given === target.name)),
  );
}

function timesOf(time: number): { ms: number; unit: number }[] {
  if (time < 1e11) return [{ ms: time * 1000, unit: 1000 }];
  return [{ ms: Math.floor(time > 1e14 ? time / 1000 : time), unit: 1 }];
}

// ---- Without --mapping ---------------------------------------------------------------------------------------------

const RECOGNIZED: Readonly<Record<string, string>> = { ...MAPPING_OF, 'aws-cloudtrail': 'cloudtrail' };
const UNKNOWN = ['aws-route53', 'aws-securityhub', 'aws-waf', 'falco', 'zeek', 'zeek-dataset'];

(present ? describe : describe.skip)('a line whose mapping nobody named', () => {
  it.each(Object.entries(RECOGNIZED))('every one of %s is recognised as %s', (file, mapping) => {
    expect(readAs(file)).toEqual([`${mapping} -`]);
  });

  it.each(UNKNOWN)('every one of %s, which no mapping is for, is left to the default one', (file) => {
    expect(readAs(file)).toEqual(['default none']);
  });
});

function readAs(file: string): string[] {
  const read = readLines(`${file}.ndjson`).map((line) => {
    const mapped = toImportedEvent(Buffer.from(line), { mapping: null, deployment: 'main', tenantId: '', now: NOW });
    return mapped.ok ? `${mapped.event.headers.import.mapping} ${mapped.unrecognized ?? '-'}` : mapped.reason;
  });
  return [...new Set(read)];
}
