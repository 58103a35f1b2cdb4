import type { AuditChange } from '../../../contract/audit-dto.js';
import type { IntegrationEvent } from '../../../domain/delivery/integration-event.js';
import type { JsonObject, JsonValue } from '../../../domain/delivery/json.js';
import type { RedactionRules } from '../../../domain/redaction/redactor.js';

/** What of a payload may reach the audit log at all. */
export interface PayloadRule {
  /** An allow-list of the payload's own fields: nothing else of it is read, by any mapper. */
  readonly keep?: readonly string[];
  /** Names that are left out wherever they stand in it, and whose changes lose their values. */
  readonly drop?: readonly string[];
}

/** `redaction` of a configuration: what is hidden everywhere, and what of which events leaves the producer's side. */
export interface EventRedaction extends RedactionRules {
  /** By event type, `*` for all others. For the audit log only: other handlers get the payload whole. */
  readonly byEventType?: Readonly<Record<string, PayloadRule>>;
}

/**
 * The event as the audit mapping may see it, before any mapper runs: a field that is not kept can come back neither as
 * data nor as an actor, an address or a change.
 */
export function redactPayload<Event extends Pick<IntegrationEvent, 'type' | 'payload'>>(
  event: Event,
  { byEventType = {} }: EventRedaction,
): Event {
  const rule = ruleFor(event, byEventType);
  if (rule === undefined) return event;
  const kept = rule.keep === undefined ? event.payload : pick(event.payload, new Set(rule.keep));
  const dropped = new Set(rule.drop ?? []);
  return { ...event, payload: dropped.size === 0 ? kept : (leaveOut(kept, dropped) as JsonObject) };
}

function ruleFor(
  { type }: Pick<IntegrationEvent, 'type'>,
  rules: Readonly<Record<string, PayloadRule>>,
): PayloadRule | undefined {
  const key = [type, '*'].find((name) => Object.hasOwn(rules, name));
  return key === undefined ? undefined : rules[key];
}

function pick(payload: JsonObject, fields: ReadonlySet<string>): JsonObject {
  return Object.fromEntries(Object.entries(payload).filter(([name]) => fields.has(name)));
}

const CHANGE_VALUES = ['old', 'new'] as const satisfies readonly (keyof AuditChange)[];

/** As deep as a payload may be, 32 levels, so it may call itself. */
function leaveOut(value: JsonValue, names: ReadonlySet<string>): JsonValue {
  if (Array.isArray(value)) return value.map((item) => leaveOut(item, names));
  if (typeof value !== 'object' || value === null) return value;
  // A change names its field in a value, not in a key; that it changed may be told.
  const hides = typeof value.field === 'string' && value.field.split(/[/.]/).some((name) => names.has(name));
  const entries = Object.entries(value).filter(
    ([name]) => !names.has(name) && !(hides && (CHANGE_VALUES as readonly string[]).includes(name)),
  );
  const left = Object.fromEntries(entries.map(([name, child]) => [name, leaveOut(child, names)]));
  return hides ? { ...left, redacted: true } : left;
}
