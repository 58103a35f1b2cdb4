import {
  ACTION_PATTERN,
  AUDIT_LIMITS,
  type AuditCategory,
  type AuditOperation,
  type AuditOutcome,
} from './audit-dto.js';

export interface Action {
  readonly action: string;
  readonly actionVersion: number;
}

/** `.v2`, `_v2` and the V2 of `orderPlacedV2`; not the end of `ipv4`. */
const VERSION = /(?:[._-][vV]|(?<=[a-z])V)([0-9]{1,9})$/;
const MAX_SEGMENTS = 6;
/** Of a longer name no more is read; no event name has as much, a text in a foreign event may. */
const LONGEST_READ = 4_096;
const UNNAMED = 'event.unnamed';

/**
 * An event name as an action and its version: `auth.user.signed_in.v1` is `auth.user.signed_in` and 1, `UserLoggedIn` is
 * `user.logged_in` and 1. Total: what is no letter or digit of ASCII becomes an underscore; a name of which nothing is
 * left becomes `event.unnamed`. The original stays in `routing.eventName`. In time linear in the name's length.
 */
export function toAction(eventName: string): Action {
  const known = KNOWN.get(eventName);
  if (known !== undefined) return known;
  const action = readAction(eventName);
  // Names are few where systems make them; where somebody else does, no more than these are kept.
  if (KNOWN.size < MOST_KNOWN && eventName.length <= AUDIT_LIMITS.action) KNOWN.set(eventName, action);
  return action;
}

const KNOWN = new Map<string, Action>();
const MOST_KNOWN = 1_000;

function readAction(eventName: string): Action {
  const version = VERSION.exec(eventName);
  const actionVersion = Math.max(1, Number(version?.[1] ?? 1));
  const name = version === null ? eventName : eventName.slice(0, version.index);
  const segments = name
    .slice(0, LONGEST_READ)
    .split('.')
    .map(toWords)
    .filter((words) => words.length > 0);
  const action = segments.length === 0 ? UNNAMED : joinSegments(segments);
  return { action: ACTION_PATTERN.test(action) ? action : UNNAMED, actionVersion };
}

/** `signedIn`, `signed-in` and `SIGNED_IN` are `signed`, `in`. */
function toWords(segment: string): string[] {
  return segment
    .normalize('NFKD')
    .replace(/\p{Mark}/gu, '')
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/([A-Z])(?=[A-Z][a-z])/g, '$1_')
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== '');
}

function joinSegments(segments: string[][]): string {
  const [first = [], ...rest] = segments;
  // The first segment of an action is one word beginning with a letter; a lone segment gives its first word to it.
  const head = rest.length === 0 ? first.slice(0, 1) : first;
  const tail = rest.length === 0 && first.length > 1 ? [first.slice(1)] : rest;
  const begin = /^[a-z]/.test(head.join('')) ? head.join('') : `e${head.join('')}`;
  const parts = [begin, ...tail.map((words) => words.join('_'))];
  if (parts.length === 1) parts.unshift('event');
  const joined = [...parts.slice(0, MAX_SEGMENTS - 1), parts.slice(MAX_SEGMENTS - 1).join('_')].filter(
    (part) => part !== '',
  );
  return joined.join('.').slice(0, AUDIT_LIMITS.action).replace(/\.$/, '');
}

const CATEGORY_BY_TYPE: Readonly<Record<string, AuditCategory>> = {
  AUTH: 'authentication',
  AUTHENTICATION: 'authentication',
  AUTHORIZATION: 'authorization',
  PERMISSION: 'authorization',
  IAM: 'iam',
  USER: 'iam',
  ACCOUNT: 'iam',
  ORDER: 'data',
  DATA: 'data',
  CONFIG: 'configuration',
  CONFIGURATION: 'configuration',
  SETTINGS: 'configuration',
  BILLING: 'billing',
  INVOICE: 'billing',
  PAYMENT: 'billing',
  INTEGRATION: 'integration',
  WEBHOOK: 'integration',
  SYSTEM: 'system',
  OUTBOX: 'system',
};

/** The category that a word stands for, in any case; undefined for one that nobody has named here. */
export function categoryOf(word: string): AuditCategory | undefined {
  const type = word.toUpperCase();
  return Object.hasOwn(CATEGORY_BY_TYPE, type) ? CATEGORY_BY_TYPE[type] : undefined;
}

const OPERATION_BY_WORDS: readonly (readonly [words: RegExp, operation: AuditOperation])[] = [
  [/(^|_)(signed_in|sign_in|logged_in|log_in|login)(_|$)/, 'login'],
  [/(^|_)(signed_out|sign_out|logged_out|log_out|logout)(_|$)/, 'logout'],
  [/(^|_)(created|added|placed|issued|registered|invited|opened|inserted|uploaded)$/, 'create'],
  [/(^|_)(updated|changed|edited|renamed|moved|granted|assigned|cancelled|canceled|closed|reset)$/, 'update'],
  [/(^|_)(deleted|removed|revoked|purged|destroyed)$/, 'delete'],
  [/(^|_)(read|viewed|downloaded|exported|listed|searched|accessed)$/, 'read'],
  [/(^|_)(executed|started|shipped|sent|captured|ran|invoked|completed|finished)$/, 'execute'],
];

/** What kind of doing an action's last words tell of; `other` where they tell nothing. */
export function toOperation(action: string): AuditOperation {
  const last = lastSegment(action);
  return OPERATION_BY_WORDS.find(([words]) => words.test(last))?.[1] ?? 'other';
}

/** A fact in the past tense has happened, so an action is a success unless its last words say otherwise. */
export function toOutcome(action: string): AuditOutcome {
  const last = lastSegment(action);
  if (/(^|_)(denied|forbidden|refused|rejected|blocked)(_|$)/.test(last)) return 'denied';
  if (/(^|_)(failed|failure|errored|declined)(_|$)/.test(last)) return 'failure';
  return 'success';
}

function lastSegment(action: string): string {
  return action.slice(action.lastIndexOf('.') + 1);
}
