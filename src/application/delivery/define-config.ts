import type { IngestConfig } from '../../contract/ingest-config.js';
import { isHandlerTimeout } from './define-handler.js';
import { ingestProblems } from './ingest-problems.js';
import type { EventRedaction } from './mappers/redact-payload.js';
import type { AuditMapper } from './mappers/to-audit-event.js';
import { notifyProblems } from './notify/check-notify.js';
import type { Notifier } from './notify/ports.js';
import type { NoticeRoutes } from './notify/route-notice.js';
import { findPolicyProblems, type PoliciesInput } from './policy-schema.js';
import type { Handler } from './ports.js';
import { redactionProblems } from './redaction-problems.js';

/** What a team adds to temporal-outbox: the default export of `temporal-outbox.config.ts`. */
export interface OutboxConfig {
  /** Destinations beside the audit log, which is always there under `audit.log`. */
  readonly handlers?: readonly Handler[];
  /** By event name, with or without its version: what the default audit mapping does not get right by itself. */
  readonly mappers?: Readonly<Record<string, AuditMapper>>;
  /**
   * What besides the built-in rules is hidden in stored failures, dead letters and logs. `keys` are secrets: they are left
   * out of the audit log's data, too. `patterns` are applied to at most 16 Ki characters at a time; how long they take on
   * those is their own affair. `byEventType` says what of a payload may reach the audit log.
   */
  readonly redaction?: EventRedaction;
  /** By event type, `*` for all others: how often and when a failed delivery is tried again. */
  readonly policies?: PoliciesInput;
  /** Channels by which a person hears of dead letters and of what is wrong with the environment. */
  readonly notifiers?: readonly Notifier[];
  /** By event type, the names of the notifiers; `*` for every other type and for alerts. Default: all of them. */
  readonly notify?: NoticeRoutes;
  /** For the api: JSON Schemas by action, and what is taken out of every event before it is stored. */
  readonly ingest?: IngestConfig;
}

const KEYS = [
  'handlers',
  'mappers',
  'redaction',
  'policies',
  'notifiers',
  'notify',
  'ingest',
] as const satisfies readonly (keyof OutboxConfig)[];

/**
 * Checks a configuration where it is written, so that a mistake shows at start and not at the first event.
 * @throws TypeError naming every problem, one a line
 */
export function defineConfig(config: OutboxConfig): OutboxConfig {
  const problems = findProblems(config);
  if (problems.length > 0) throw new TypeError(`The configuration does not fit:\n${problems.join('\n')}`);
  return config;
}

function findProblems(config: unknown): string[] {
  if (typeof config !== 'object' || config === null) {
    return [`expected an object { ${KEYS.map((key) => `${key}?`).join(', ')} }`];
  }
  const problems = Object.keys(config)
    .filter((key) => !(KEYS as readonly string[]).includes(key))
    .map((key) => `${key}: unknown; known are ${KEYS.join(', ')}`);
  const {
    handlers = [],
    mappers = {},
    redaction,
    notifiers = [],
    notify = {},
    policies = {},
    ingest,
  } = config as Record<keyof OutboxConfig, unknown>;
  return [
    ...problems,
    ...handlerProblems(handlers),
    ...mapperProblems(mappers),
    ...redactionProblems(redaction),
    ...findPolicyProblems(policies),
    ...notifyProblems(notifiers, notify),
    ...ingestProblems(ingest),
  ];
}

function handlerProblems(handlers: unknown): string[] {
  if (!Array.isArray(handlers)) return ['handlers: expected an array'];
  const seen = new Set<string>();
  return handlers.flatMap((handler: Partial<Handler> | null, index) => {
    const key = handler?.routingKey;
    if (typeof key !== 'string' || typeof handler?.deliver !== 'function') {
      return [`handlers[${index}]: expected what defineHandler or httpHandler returns`];
    }
    if (handler.timeoutMs !== undefined && !isHandlerTimeout(handler.timeoutMs)) {
      return [`handlers[${index}] ("${key}"): expected timeoutMs to be a whole number from 100 to 600000`];
    }
    if (seen.has(key)) return [`handlers[${index}]: a second handler for the routing key "${key}"`];
    seen.add(key);
    return [];
  });
}

function mapperProblems(mappers: unknown): string[] {
  if (typeof mappers !== 'object' || mappers === null || Array.isArray(mappers)) return ['mappers: expected an object'];
  return Object.entries(mappers)
    .filter(([, mapper]) => typeof mapper !== 'function')
    .map(([name]) => `mappers["${name}"]: expected a function`);
}
