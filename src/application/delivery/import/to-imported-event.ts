import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import { v5 as uuidV5 } from 'uuid';
import { AUDIT_LIMITS, auditEventSchema, toFieldProblems } from '../../../contract/audit-dto.js';
import { cutText } from '../../../contract/fit-text.js';
import { type Action, toAction } from '../../../contract/to-action.js';
import type { AuditHints } from '../../../domain/delivery/audit-hints.js';
import type { JsonObject } from '../../../domain/delivery/json.js';
import { EVENT_LIMITS, IMPORT_EVENT_TYPE } from '../../../domain/delivery/outbox-event.js';
import { cutIdentifier } from '../mappers/cut-identifier.js';
import { toAuditSource } from '../mappers/to-audit-event.js';
import { countStoredBytes, fitPayload } from './fit-payload.js';
import { readForeignTime } from './foreign-time.js';
import { applyRule, type ImportMapping } from './mapping.js';
import { type Recognized, recognize, type Unrecognized } from './mappings/index.js';
import type { ChangedPaths, ImportedEvent, ImportHeader } from './ports.js';
import { readStorableJson, type StorableChanges } from './storable-json.js';
import { toHints } from './to-hints.js';

/** Made once for this project, never to change: the ids of everything imported hang on it. */
export const IMPORT_NAMESPACE = 'bdb07171-8f15-4a7b-b50e-760e3864f74b';

/** The whole record may nest 32 levels, itself counted. */
const MAX_DEPTH = AUDIT_LIMITS.depth - 1;

export interface ImportContext {
  /** null: the one that recognises the line. */
  readonly mapping: ImportMapping | null;
  readonly deployment: string;
  /** The empty string where there is no tenant. */
  readonly tenantId: string;
  readonly now: Date;
}

export type MappedLine =
  | { readonly ok: true; readonly event: ImportedEvent; readonly unrecognized?: Unrecognized }
  /** Reasons never quote the line. */
  | { readonly ok: false; readonly reason: string };

/**
 * One line of foreign audit events as the outbox event that it becomes. Pure but for `now`: the same line with the same
 * deployment, tenant and mapping always has the same id (R25), and the same content the same `headers.import.contentSha256`.
 */
export function toImportedEvent(bytes: Uint8Array, context: ImportContext): MappedLine {
  const text = decodeUtf8(bytes);
  if (text === null) return refuse('not valid UTF-8');
  const read = readStorableJson(text, MAX_DEPTH);
  if (!read.ok) return refuse(read.reason);
  const { value: original, changes } = read;
  const { mapping, unrecognized }: Recognized =
    context.mapping === null ? recognize(original) : { mapping: context.mapping };

  const rawTime = applyRule(mapping.time.at, original);
  const time = rawTime === undefined ? null : readForeignTime(rawTime, mapping.time.assumedZone, context.now);
  if (time !== null && !time.ok) return refuse(time.reason);

  const lineSha256 = sha256(bytes);
  const sourceEventId = applyRule(mapping.id, original);
  const source = toAuditSource(applyRule(mapping.source, original) ?? `import:${mapping.name}`);
  const { payload, truncated } = fitPayload(original, EVENT_LIMITS.payloadBytes, {
    sha256: lineSha256,
    bytes: bytes.length,
  });
  const provenance: ImportHeader = {
    mapping: mapping.name,
    lineSha256,
    contentSha256: hashContent(original, changes),
    ...(sourceEventId !== undefined && { sourceEventId: cutIdentifier(sourceEventId, 200) }),
    ...(time === null && { timeMissing: true as const }),
    ...(truncated && { truncated: true as const }),
    ...listChanges(changes),
  };
  const action = toAction(applyRule(mapping.action, original) ?? '');
  const headers = fitHeaders({ audit: toHints(original, mapping, action, provenance), import: provenance });
  const problem = findHintProblem(headers.audit);
  if (problem !== null) return refuse(`mapping ${mapping.name}: ${problem}`);

  const target = headers.audit.targets?.[0];
  const identity = sourceEventId === undefined ? ['line', lineSha256] : ['id', sourceEventId];
  const id = uuidV5(JSON.stringify([context.deployment, context.tenantId, source, ...identity]), IMPORT_NAMESPACE);
  return {
    ok: true,
    ...(unrecognized !== undefined && { unrecognized }),
    event: {
      id,
      eventName: toEventName(action),
      eventType: IMPORT_EVENT_TYPE,
      source,
      aggregate: { type: target?.type ?? 'import', id: target?.id ?? id },
      tenantId: context.tenantId,
      payload,
      headers,
      occurredAt: time?.occurredAt ?? context.now.toISOString(),
    },
  };
}

function refuse(reason: string): MappedLine {
  return { ok: false, reason };
}

function decodeUtf8(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null; // the one reason for which a fatal decoder throws
  }
}

function sha256(data: Uint8Array | string): string {
  return createHash('sha256').update(data).digest('hex');
}

/** The changes belong to it: a number and its literal as a string are two contents. */
function hashContent(original: JsonObject, changes: StorableChanges): string {
  return sha256(canonicalize([original, { ...changes }]) as string);
}

/** The action may be as long as an event name, which has its version besides. */
function toEventName({ action, actionVersion }: Action): string {
  const version = `.v${actionVersion}`;
  return `${cutIdentifier(action, EVENT_LIMITS.eventName - version.length).replace('~', '_')}${version}`;
}

const LISTED_PATHS = 10;

function listChanges(changes: StorableChanges): Partial<Record<keyof StorableChanges, ChangedPaths>> {
  const lists = Object.entries(changes) as [keyof StorableChanges, string[]][];
  return Object.fromEntries(
    lists
      .filter(([, paths]) => paths.length > 0)
      .map(([name, paths]) => [
        name,
        { count: paths.length, paths: paths.slice(0, LISTED_PATHS).map((path) => cutText(visibleText(path), 100)) },
      ]),
  );
}

/** A pointer may lead through a key that could not be stored. */
function visibleText(text: string): string {
  return JSON.stringify(text.toWellFormed()).slice(1, -1);
}

/** What only describes goes first when the headers are too long; action, actor and the first targets always stay. */
function fitHeaders(headers: ImportedEvent['headers']): ImportedEvent['headers'] {
  const reductions: ((hints: AuditHints) => AuditHints)[] = [
    (hints) => hints,
    (hints) => ({ ...hints, ...(hints.targets && { targets: hints.targets.map(({ type, id }) => ({ type, id })) }) }),
    (hints) => ({ ...hints, ...(hints.targets && { targets: hints.targets.slice(0, 5) }) }),
    ({ context: _context, ...hints }) => hints,
    (hints) => ({
      ...hints,
      ...(hints.actor && { actor: { type: hints.actor.type, ...(hints.actor.id && { id: hints.actor.id }) } }),
    }),
  ];
  let audit = headers.audit;
  for (const reduce of reductions) {
    audit = reduce(audit);
    const fitted = { ...headers, audit };
    if (countStoredBytes(fitted as unknown as JsonObject) <= EVENT_LIMITS.headersBytes) return fitted;
  }
  return { ...headers, audit };
}

const hintsSchema = auditEventSchema
  .pick({
    action: true,
    actionVersion: true,
    category: true,
    operation: true,
    outcome: true,
    outcomeReason: true,
    severity: true,
    actor: true,
    targets: true,
    context: true,
    metadata: true,
  })
  .partial();

/** A record that the ingest would refuse is better named here than found as a dead letter. */
function findHintProblem(hints: AuditHints): string | null {
  const parsed = hintsSchema.safeParse(hints);
  if (parsed.success) return null;
  const [first] = toFieldProblems(parsed.error);
  return `${first?.pointer ?? ''} ${first?.detail ?? 'is invalid'}`;
}
