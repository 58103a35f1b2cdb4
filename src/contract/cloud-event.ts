import { AUDIT_LIMITS, type AuditEvent, type FieldProblem, type JsonObject, parseAuditEvent } from './audit-dto.js';
import { isAuditData, toAuditPointer, toMappedEvent } from './cloud-event-mapping.js';
import { findUnstorable, joinPointer } from './json-value.js';

/**
 * CloudEvents 1.0 in JSON (the CNCF's specification, JSON event format 1.0.2), as the audit log takes them. What is read
 * here is one event, whichever of the three modes of the HTTP binding brought it.
 */

export const CLOUD_EVENT_MEDIA_TYPE = 'application/cloudevents+json';
export const CLOUD_EVENT_BATCH_MEDIA_TYPE = 'application/cloudevents-batch+json';

export type ReadCloudEvent =
  | {
      readonly ok: true;
      /** Valid by `parseAuditEvent`. */
      readonly event: AuditEvent;
      /**
       * What tells the same content: the event as it was sent, in the one form that the three modes share, attributes as
       * text, what is null left out, without those of its way here. null: the data are an audit event, which says all.
       */
      readonly content: JsonObject | null;
      /** The same as releases before took it: an audit event in its envelope, and of the way here the trace alone left out. */
      readonly formerContent: JsonObject;
      /** A pointer into the audit event, as one into the CloudEvent. */
      readonly pointer: (pointer: string) => string;
    }
  | { readonly ok: false; readonly problems: readonly FieldProblem[] };

/** Attributes by name, each as text (the specification's canonical form of its type). */
export type Attributes = Readonly<Record<string, string>>;

const NAME = /^[a-z0-9]{1,40}$/;
const TEXT_ONLY = new Set(['specversion', 'id', 'source', 'type', 'subject', 'time', 'dataschema', 'datacontenttype']);
const REQUIRED = ['id', 'source', 'type'] as const;
/**
 * Of the way here, which differs from one sending to the next: the trace (Distributed Tracing extension), and the content type,
 * which is always JSON.
 */
const FORMERLY_OF_THE_WAY = ['traceparent', 'tracestate', 'datacontenttype'];
/** And what each hop may set, change or take away by their own words: the Partitioning and the Sampled Rate extension. */
const OF_THE_WAY = [...FORMERLY_OF_THE_WAY, 'partitionkey', 'sampledrate'];
const MAX_INTEGER = 2_147_483_647;

/** Every problem is named at once, by a pointer into the CloudEvent. `now` stands for a time that is left out. */
export function readCloudEvent(value: JsonObject, now: Date): ReadCloudEvent {
  const unstorable = findUnstorable(value, AUDIT_LIMITS.problems);
  if (unstorable.length > 0) return { ok: false, problems: unstorable };
  const { attributes, problems } = readAttributes(value);
  const data = value.data ?? null;
  problems.push(...envelopeProblems(value, attributes));
  if (data !== null && (typeof data !== 'object' || Array.isArray(data))) {
    problems.push({ pointer: '/data', detail: 'Expected a JSON object' });
  }
  if (problems.length > 0 && REQUIRED.some((name) => attributes[name] === undefined)) return refuse(problems);

  const wrapped = isAuditData(attributes);
  const pointer = (at: string) => toAuditPointer(at, wrapped);
  const parsed = parseAuditEvent(wrapped ? data : toMappedEvent(attributes, data as JsonObject | null, now), now);
  if (!parsed.ok) problems.push(...parsed.problems.map((one) => ({ ...one, pointer: pointer(one.pointer) })));
  else if (wrapped) problems.push(...envelopeDifferences(attributes, parsed.event));
  if (!parsed.ok || problems.length > 0) return refuse(problems);
  const contentWithout = (names: readonly string[]) => toContent(attributes, data as JsonObject | null, names);
  return {
    ok: true,
    event: parsed.event,
    content: wrapped ? null : contentWithout(OF_THE_WAY),
    formerContent: contentWithout(FORMERLY_OF_THE_WAY),
    pointer,
  };
}

function refuse(problems: readonly FieldProblem[]): ReadCloudEvent {
  const first = new Map(problems.map((problem) => [problem.pointer, problem] as const).reverse());
  return { ok: false, problems: [...first.values()].reverse().slice(0, AUDIT_LIMITS.problems) };
}

function readAttributes(value: JsonObject): { attributes: Attributes; problems: FieldProblem[] } {
  const problems: FieldProblem[] = [];
  const read = Object.entries(value).flatMap(([name, given]): [string, string][] => {
    // A null is an attribute left out (JSON event format, section 2.2).
    if (given === null || name === 'data' || name === 'data_base64') return [];
    const pointer = joinPointer('', name);
    if (!NAME.test(name)) {
      problems.push({ pointer, detail: 'Expected an attribute name of 1 to 40 lower-case letters and digits' });
    } else if (typeof given === 'string') {
      return [[name, given]];
    } else if (TEXT_ONLY.has(name)) {
      problems.push({ pointer, detail: 'Expected text' });
    } else if (typeof given === 'boolean' || (Number.isInteger(given) && Math.abs(given as number) <= MAX_INTEGER)) {
      return [[name, String(given)]];
    } else {
      problems.push({ pointer, detail: 'Expected text, a boolean or a whole number of 32 bits' });
    }
    return [];
  });
  return { attributes: Object.fromEntries(read), problems };
}

function envelopeProblems(value: JsonObject, attributes: Attributes): FieldProblem[] {
  const problems: FieldProblem[] = [];
  if (attributes.specversion !== '1.0') problems.push({ pointer: '/specversion', detail: 'Expected "1.0"' });
  for (const name of REQUIRED) {
    if (value[name] === undefined || value[name] === null) {
      problems.push({ pointer: `/${name}`, detail: 'Expected this attribute: it is required' });
    }
  }
  if ((value.data_base64 ?? null) !== null) {
    problems.push({ pointer: '/data_base64', detail: 'Expected the data as JSON, in the member data' });
  }
  if (attributes.datacontenttype !== undefined && !isJsonMediaType(attributes.datacontenttype)) {
    problems.push({ pointer: '/datacontenttype', detail: 'Expected application/json: other data are not taken' });
  }
  return problems;
}

/** `application/json`, or any type that ends in `+json`; parameters are not looked at. */
export function isJsonMediaType(text: string): boolean {
  return /^(application\/json|[a-z]+\/[a-z0-9.!#$&^_-]+\+json)$/.test((text.split(';')[0] ?? '').trim().toLowerCase());
}

/** A DTO inside of an envelope is one event under one identity: two would make a resend another event. */
function envelopeDifferences(attributes: Attributes, event: AuditEvent): FieldProblem[] {
  const pairs = [
    ['/data/eventId', 'id', event.eventId],
    ['/data/source', 'source', event.source],
    ['/data/tenantId', 'tenantid', event.tenantId],
  ] as const;
  return pairs.flatMap(([pointer, name, own]) =>
    attributes[name] === own || (name === 'tenantid' && attributes.tenantid === undefined)
      ? []
      : [{ pointer, detail: `Expected the envelope's ${name}` }],
  );
}

function toContent(attributes: Attributes, data: JsonObject | null, leftOut: readonly string[]): JsonObject {
  const kept = Object.entries(attributes).filter(([name]) => !leftOut.includes(name));
  return Object.fromEntries(data === null ? kept : [...kept, ['data', data]]);
}
