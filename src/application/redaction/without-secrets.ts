import {
  AUDIT_LIMITS,
  type AuditChange,
  type AuditEvent,
  type AuditMetadata,
  type JsonValue,
} from '../../contract/audit-dto.js';
import { cutText } from '../../contract/fit-text.js';
import { listInMetadata } from '../../contract/list-in-metadata.js';
import { hidesPath } from '../../domain/redaction/redact-json.js';
import type { Redactor } from '../../domain/redaction/redactor.js';

/** As much of a redactor as is needed here. */
export type SecretsRedactor = Pick<Redactor, 'withoutSecrets' | 'isSecretName'>;

/**
 * The event without what must never stand in a log that nobody can change: the values under secret names in its data,
 * changes and metadata, each change marked `redacted`, the rest listed in `metadata.redacted`. Personal data stay: the
 * record is of who did what. Identity and fingerprint come from the event as sent (R26), so the same event redacted by
 * other rules is a replay of the record that stands. Both sides use it: our outbox before it sends, the ingest before it stores.
 */
export function withoutSecrets(event: AuditEvent, redactor: SecretsRedactor): AuditEvent {
  const { data, changes, metadata, actor, targets } = event;
  // Each for itself: none is the shorter for what another one holds.
  const safeData = part(redactor, 'data', data);
  const safeMetadata = part(redactor, 'metadata', metadata);
  const safeActor = part(redactor, 'actor', actor.metadata);
  const safeTargets = part(
    redactor,
    'targets',
    targets.map((one) => one.metadata),
  );
  const safeChanges = changes?.map((change) => redactChange(change, redactor));
  const hidden = [safeData, safeMetadata, safeActor, safeTargets].flatMap((safe) => safe.hidden);
  const changed = safeChanges?.some((change, index) => change !== changes?.[index]) ?? false;
  if (hidden.length === 0 && !changed) return event;
  const listed = hidden.map((pointer) => pointer.replace(/^\/data/, ''));
  const noted: AuditMetadata = { ...fitMetadata(safeMetadata.value), ...noteHidden(listed, metadata) };
  return {
    ...event,
    ...(data === undefined ? {} : { data: safeData.value as Record<string, JsonValue> }),
    ...(safeChanges === undefined ? {} : { changes: safeChanges }),
    ...(Object.keys(noted).length === 0 ? {} : { metadata: noted }),
    ...(actor.metadata === undefined ? {} : { actor: { ...actor, metadata: fitMetadata(safeActor.value) } }),
    targets: targets.map((one, index) =>
      one.metadata === undefined ? one : { ...one, metadata: fitMetadata(safeTargets.value[index]) },
    ),
  };
}

/** One field of the event without its secrets; pointers begin with its name. */
function part<T>(redactor: SecretsRedactor, name: string, field: T): { value: T; hidden: readonly string[] } {
  if (field === undefined || (Array.isArray(field) && field.every((one) => one === undefined)))
    return { value: field, hidden: [] };
  const { value, hidden } = redactor.withoutSecrets({ [name]: field });
  // The structure stays, and metadata are flat: what was a container still is one.
  return { value: (value as Record<string, T>)[name] as T, hidden };
}

/** Beside what the other side has listed already, where there is room for one more key. */
function noteHidden(hidden: readonly string[], metadata: AuditMetadata = {}): AuditMetadata {
  const listed = typeof metadata.redacted === 'string' ? metadata.redacted.split(' ').filter(Boolean) : [];
  const isFull = metadata.redacted === undefined && Object.keys(metadata).length >= AUDIT_LIMITS.metadataKeys;
  return hidden.length === 0 || isFull ? {} : { redacted: listInMetadata([...listed, ...hidden]) };
}

/** A marker may be longer than what it stands for. */
function fitMetadata(metadata: AuditMetadata = {}): AuditMetadata {
  const shorten = (value: AuditMetadata[string]) =>
    typeof value === 'string' ? cutText(value, AUDIT_LIMITS.metadataValue) : value;
  return Object.fromEntries(Object.entries(metadata).map(([key, value]) => [key, shorten(value)]));
}

function redactChange(change: AuditChange, redactor: SecretsRedactor): AuditChange {
  const whole = hidesPath(change.field, redactor.isSecretName);
  const name = whole ? 'secret' : 'value';
  const { value, hidden } = redactor.withoutSecrets({ old: { [name]: change.old }, new: { [name]: change.new } });
  if (hidden.length === 0) return change;
  const sides = value as Record<'old' | 'new', Record<string, JsonValue>>;
  return {
    ...change,
    ...(change.old === undefined ? {} : { old: sides.old[name] as JsonValue }),
    ...(change.new === undefined ? {} : { new: sides.new[name] as JsonValue }),
    redacted: true,
  };
}
