/**
 * Real: published events of other products with the OCSF mapping that others made of them, read where they stand (they carry
 * no licence and are no part of this project); each goes through its import mapping and becomes a record, and the record
 * OCSF. Nothing is fake; the record's id and hash are made up.
 */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { toOcsf } from '../../src/application/audit/ocsf/to-ocsf.js';
import { findMapping } from '../../src/application/delivery/import/mappings/index.js';
import { toImportedEvent } from '../../src/application/delivery/import/to-imported-event.js';
import { toRecord } from '../support/import-record.js';

const NOW = new Date('2026-11-23T12:00:00Z');
const folder =
  process.env.OUTBOX_REAL_EVENTS_DIR ?? fileURLToPath(new URL('../../../shared/data/real-events', import.meta.url));
const present = existsSync(folder);
if (!present) console.warn(`SKIPPED: no real events at ${folder}; OUTBOX_REAL_EVENTS_DIR names another folder`);

const FIELDS = [
  'class',
  'activity',
  'severity',
  'status',
  'time',
  'actor',
  'user',
  'ip',
  'agent',
  'uid',
  'api',
] as const;
type Field = (typeof FIELDS)[number];

/** Why a field differs. */
const WHY = {
  account: 'OCSF has Account Change (3001); ours knows accounts and rights as one category, which is API Activity',
  entity:
    'OCSF has classes for entities, groups and findings; ours are API Activity or, for what is no call, the base event',
  draft: 'API Activity had the number 3005 in the first draft',
  mail: 'upstream: Email Activity; a mail trace says nothing of an operation, so it is a base event',
  lock: 'OCSF has an activity of its own for it; ours is an update, or a create for a membership that is new',
  noStatus: 'upstream gives no status, or 99, for want of an error code; without one the call was carried out',
  mailStatus: 'upstream: Other for what lies between delivered and failed; ours is what the mapping knows of it',
  severity: 'upstream says unknown; ours is the one that the product states, or info',
  later: 'upstream pairs this event with the output of a later, anonymised version of it: other ids, another year',
  seconds:
    'upstream writes seconds (one of another year than its own time_dt); OCSF asks for milliseconds, as ours are',
  whose:
    'upstream takes the user who was created, added or locked; ours has a user for sign-ins only, others are resources',
  sender: 'upstream names no actor; ours is the sender, or what a network is known by',
  noAddress: 'upstream keeps address and client under the finding',
  traceId: "upstream's id is its own, not the event's",
  noCall: 'upstream gives no api for this class',
} as const;
type Why = keyof typeof WHY;

const created = { class: 'account', status: 'noStatus', user: 'whose' } as const;
const oktaCall = { time: 'seconds' } as const;
const mail = {
  class: 'mail',
  activity: 'mail',
  severity: 'severity',
  actor: 'sender',
  uid: 'traceId',
  api: 'noCall',
} as const;
const mailOdd = { ...mail, status: 'mailStatus' } as const;

/** Every difference, by file and line: one that is not here, or is no more, fails. */
const DIFFERENCES: Readonly<Record<string, Readonly<Record<number, Partial<Record<Field, Why>>>>>> = {
  'aws-cloudtrail': {
    1: { ...created, uid: 'later' },
    2: { status: 'noStatus', time: 'later', actor: 'later', uid: 'later' },
    3: { time: 'later', uid: 'later' },
    4: { class: 'draft' },
    5: { class: 'account', user: 'whose' },
    6: {},
    7: { status: 'noStatus' },
    8: created,
    9: { status: 'noStatus' },
    10: { status: 'noStatus' },
  },
  okta: {
    1: oktaCall,
    2: { ...oktaCall, class: 'account', activity: 'lock', severity: 'severity', user: 'whose', api: 'noCall' },
    3: { ...oktaCall, api: 'noCall' },
    4: {
      ...oktaCall,
      class: 'entity',
      activity: 'entity',
      severity: 'severity',
      status: 'noStatus',
      actor: 'sender',
      ip: 'noAddress',
      agent: 'noAddress',
      api: 'noCall',
    },
    5: { ...oktaCall, class: 'entity', api: 'noCall' },
    6: { ...oktaCall, class: 'entity', activity: 'lock', user: 'whose', api: 'noCall' },
  },
  'o365-messagetrace': {
    1: mail,
    2: mailOdd,
    3: mail,
    4: mailOdd,
    5: mailOdd,
    6: mailOdd,
    7: mailOdd,
    8: mailOdd,
    9: mailOdd,
  },
};

const FILES = [
  ['aws-cloudtrail', 'cloudtrail'],
  ['okta', 'okta'],
  ['o365-messagetrace', 'o365-message-trace'],
] as const;

// biome-ignore lint/suspicious/noExplicitAny: whatever upstream wrote, looked at field by field
type Ocsf = any;

const readLines = (path: string) => readFileSync(`${folder}/${path}`, 'utf8').split('\n').filter(Boolean);

function ours(line: string, mappingName: string): Ocsf {
  const mapping = findMapping(mappingName);
  if (mapping === undefined) throw new Error(`no mapping ${mappingName}`);
  const mapped = toImportedEvent(Buffer.from(line), { mapping, deployment: 'main', tenantId: '', now: NOW });
  if (!mapped.ok) throw new Error(mapped.reason);
  return toOcsf({
    recordId: '0198c0de-0000-7000-8000-000000000001',
    recordedAt: NOW.toISOString(),
    tenantId: null,
    via: 'outbox',
    hash: null,
    event: toRecord(mapped.event, NOW),
  });
}

function differing(mine: Ocsf, theirs: Ocsf): Field[] {
  // Ours is in snake case, behind its service.
  const sameCall = (mineCall: string | undefined, call: string | undefined) =>
    call !== undefined && `.${mineCall}`.endsWith(`.${call.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toLowerCase()}`);
  const idsOf = (user: Ocsf) =>
    [user?.uid, user?.uid_alt, user?.uuid, user?.name].filter((id) => typeof id === 'string');
  const same = (left: unknown, right: unknown) => (left ?? null) === (right ?? null);
  const sameUser = (mineUser: Ocsf, theirUser: Ocsf) =>
    idsOf(theirUser).length === 0 ? idsOf(mineUser).length === 0 : idsOf(theirUser).includes(mineUser?.uid);
  const agrees: Record<Field, boolean> = {
    class: mine.class_uid === theirs.class_uid && mine.category_uid === theirs.category_uid,
    activity: mine.activity_id === theirs.activity_id,
    severity: mine.severity_id === theirs.severity_id,
    status: same(mine.status_id, theirs.status_id),
    time: mine.time === theirs.time,
    actor: sameUser(mine.actor.user, theirs.actor?.user),
    user: sameUser(mine.user, theirs.user),
    ip: same(mine.src_endpoint.ip, theirs.src_endpoint?.ip),
    agent: same(mine.http_request?.user_agent, theirs.http_request?.user_agent),
    // An imported event has an id of our own making; the product's own stands in the original beside it.
    uid: JSON.stringify(mine.unmapped.data).includes(JSON.stringify(theirs.metadata.uid)),
    api: sameCall(mine.api?.operation, theirs.api?.operation),
  };
  return FIELDS.filter((field) => !agrees[field]);
}

(present ? describe : describe.skip)('records beside the OCSF that others made of the same events', () => {
  it.each(FILES)('%s, by the mapping %s: they agree but for the listed differences', (file, mapping) => {
    const raw = readLines(`${file}.ndjson`);
    const expected = readLines(`ocsf-expected/${file}.ndjson`).map((line) => JSON.parse(line) as Ocsf);
    const found: Record<number, Field[]> = {};
    raw.forEach((line, n) => {
      const mine = ours(line, mapping);
      expect(mine.type_uid).toBe(mine.class_uid * 100 + mine.activity_id);
      if (expected[n] !== null) found[n + 1] = differing(mine, expected[n]);
    });
    const listed = Object.entries(DIFFERENCES[file] ?? {});
    expect(found).toEqual(
      Object.fromEntries(listed.map(([line, fields]) => [line, FIELDS.filter((field) => field in fields)])),
    );
  });
});
