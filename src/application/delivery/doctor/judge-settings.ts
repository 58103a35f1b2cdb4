import type { OrderingChange } from '../ordering/ports.js';
import { type Finding, ok, orOk, warning, wrong } from './findings.js';

/** The settings of whoever asks, as far as one says something of another. Names are those of the variables. */
export interface SettingsFacts {
  /** Those that the environment names; the others have their defaults. */
  readonly given: ReadonlySet<string>;
  readonly deployment: string;
  /** As the database keeps it; null: it keeps none, or was not read. */
  readonly storedDeployment: string | null;
  readonly host: string;
  readonly ops: boolean;
  readonly monitor: boolean;
  readonly monitorSignIn: boolean;
  readonly monitorUrl: string | null;
  readonly searchAttributes: boolean;
  readonly leaseMs: number;
  readonly startTimeoutMs: number;
  readonly pollFloorMs: number;
  readonly pollIdleMs: number;
  /** Looks like one of Temporal's own and is none. */
  readonly mistyped: readonly { readonly variable: string; readonly nearest: string }[];
  /** Where what the database goes by is not what the configuration says; null: it could not be read. */
  readonly orderingChanges: readonly OrderingChange[] | null;
}

export function judgeSettings(facts: SettingsFacts): readonly Finding[] {
  const found = [...contradictions(facts), ...unused(facts)];
  for (const { variable, nearest } of facts.mistyped) {
    found.push(warning('settings', `${variable} is read by nobody`, `did you mean ${nearest}? Or leave it out`));
  }
  for (const { eventType, from, to } of facts.orderingChanges ?? []) {
    const detail = `the ordering of ${eventType} is ${from} in the database, and ${to} in the configuration`;
    found.push(warning('settings', detail, 'run `outbox policies apply --ordering`, or mend the configuration'));
  }
  return orOk(found, 'settings', 'nothing contradicts, nothing is unused');
}

function contradictions(facts: SettingsFacts): Finding[] {
  const { given, host, monitorUrl, deployment, storedDeployment } = facts;
  const found: Finding[] = [];
  if (storedDeployment !== null && storedDeployment !== deployment) {
    const detail = `OUTBOX_DEPLOYMENT is ${deployment}, and the outbox database belongs to ${storedDeployment}: no role starts`;
    found.push(wrong('settings', detail, `set OUTBOX_DEPLOYMENT=${storedDeployment}, or name another database`));
  }
  const say = (detail: string, todo: string) => found.push(warning('settings', detail, todo));
  const served = facts.ops && facts.monitor;
  if (served && !facts.monitorSignIn && !isLoopback(host)) {
    const detail = `OUTBOX_MONITOR_SIGN_IN=off on ${host}: an api does not start so, for everybody who reaches it would see everything`;
    found.push(wrong('settings', detail, 'leave it out, or set OUTBOX_HOST=127.0.0.1'));
  }
  if (served && !facts.monitorSignIn && isLoopback(host) && monitorUrl !== null && !isOfLoopback(monitorUrl)) {
    say(
      `OUTBOX_MONITOR_SIGN_IN=off, and OUTBOX_MONITOR_URL is ${monitorUrl}: whoever reaches that sees everything`,
      'leave it out, unless the proxy there asks who somebody is',
    );
  }
  if (served && !isLoopback(host) && (monitorUrl === null || !monitorUrl.startsWith('https:'))) {
    say(
      `the monitor is served on ${host}, and OUTBOX_MONITOR_URL is ${monitorUrl === null ? 'not set' : 'no https:// address'}: the cookie of who signs in goes over the wire as it is`,
      'put a proxy with TLS in front, and its https:// address into OUTBOX_MONITOR_URL',
    );
  }
  if (facts.leaseMs < 2 * facts.startTimeoutMs) {
    say(
      `OUTBOX_LEASE_MS (${facts.leaseMs}) is below twice OUTBOX_START_TIMEOUT_MS (${facts.startTimeoutMs}): one slow start, and another relay has the claim`,
      'raise the lease, or lower the timeout',
    );
  }
  if (facts.pollFloorMs > facts.pollIdleMs) {
    say(
      `OUTBOX_POLL_FLOOR_MS (${facts.pollFloorMs}) is above OUTBOX_POLL_IDLE_MS (${facts.pollIdleMs}): a relay polls slower while events come in`,
      'lower the floor',
    );
  }
  if (given.has('AUDIT_SIGNING_KEYS') && !given.has('AUDIT_ANCHOR_FILE')) {
    say(
      'AUDIT_SIGNING_KEYS without AUDIT_ANCHOR_FILE: who owns the database and the keys can rewrite the log unseen',
      'name a file that the owner of the database cannot change',
    );
  }
  if (given.has('AUDIT_RETENTION_MONTHS') && !(given.has('AUDIT_SIGNING_KEYS') && given.has('AUDIT_ANCHOR_FILE'))) {
    say(
      'AUDIT_RETENTION_MONTHS without AUDIT_SIGNING_KEYS and AUDIT_ANCHOR_FILE: nothing is dropped',
      'set both, or leave the months out',
    );
  }
  return found;
}

/** Each is read by nobody where what it belongs to is not set. */
function unused({ given, ops, monitor, searchAttributes }: SettingsFacts): Finding[] {
  const of = (variables: readonly string[], why: string) =>
    variables.filter((name) => given.has(name)).map((name): readonly [string, string] => [name, why]);
  const served = ops && monitor;
  const rows = [
    ...(given.has('AUDIT_DATABASE_URL') ? [] : of(OF_AUDIT_DATABASE, 'AUDIT_DATABASE_URL is not set')),
    // An api that serves the monitor judges by it whether signing has stopped.
    ...(served || given.has('AUDIT_SIGNING_KEYS') ? [] : of(['AUDIT_CHECKPOINT_MS'], 'AUDIT_SIGNING_KEYS is not set')),
    ...(served ? [] : of(['OUTBOX_MONITOR_SIGN_IN', 'OUTBOX_MONITOR_SESSION_HOURS'], 'no monitor is served here')),
    ...(ops ? [] : of(['OUTBOX_MONITOR'], 'OUTBOX_OPS is off')),
    ...(searchAttributes ? [] : of(['OUTBOX_SEARCH_ATTRIBUTE_PREFIX'], 'OUTBOX_SEARCH_ATTRIBUTES is off')),
  ];
  return rows.map(([name, why]) =>
    warning('settings', `${name} is set, and nobody reads it: ${why}`, 'set what it belongs to, or leave it out'),
  );
}

/** What else a process of the audit log has. */
const OF_AUDIT_DATABASE = [
  'AUDIT_POOL_SIZE',
  'AUDIT_READ_POOL_SIZE',
  'AUDIT_FINGERPRINT_KEYS',
  'AUDIT_SECRET_KEY',
  'AUDIT_RATE_PER_MINUTE',
  'AUDIT_SIGNING_KEYS',
  'AUDIT_VERIFIER_KEYS',
  'AUDIT_LOG_ORIGIN',
  'AUDIT_RETENTION_MONTHS',
  'AUDIT_VERIFY_HOURS',
] as const;

function isOfLoopback(url: string): boolean {
  const { hostname } = new URL(url);
  return isLoopback(hostname) || hostname === '[::1]' || hostname.endsWith('.localhost');
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\./.test(host);
}

/** Of the outbox's server. */
export interface ConnectionFacts {
  /** Sessions that may be open, those of administrators not counted. */
  readonly most: number;
  readonly open: number;
  /** Each may open so many, by the settings of whoever asks. */
  readonly poolSize: number;
  /** Relays and workers that tell of themselves; null: not known. */
  readonly processes: number | null;
}

const NEARLY_ALL = 0.8;

export function judgeConnections({ most, open, poolSize, processes }: ConnectionFacts): readonly Finding[] {
  const id = 'connections';
  const todo = 'raise max_connections, lower OUTBOX_POOL_SIZE, or put a pooler in between';
  if (open > most * NEARLY_ALL) {
    return [warning(id, `${open} of ${most} connections of the outbox's server are open`, todo)];
  }
  if (processes !== null && processes * poolSize > most) {
    const may = `${processes} processes with OUTBOX_POOL_SIZE=${poolSize} may open ${processes * poolSize} connections`;
    return [warning(id, `${may}, and the outbox's server takes ${most}`, todo)];
  }
  return [ok(id, `${open} of ${most} connections of the outbox's server are open`)];
}
