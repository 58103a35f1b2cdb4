import {
  AUDIT_LIMITS,
  type AuditChange,
  type AuditEvent,
  type AuditMetadata,
  type JsonValue,
} from '../../../contract/audit-dto.js';
import { hidesPath } from '../../../domain/delivery/redaction/redact-json.js';
import type { Redactor } from '../../../domain/delivery/redaction/redactor.js';
import { listInMetadata } from './list-in-metadata.js';

/**
 * The event without what must never stand in a log that nobody can change: the values under secret names in its data,
 * changes and metadata, each change marked `redacted`, the rest listed in `metadata.redacted`. Personal data stay: the
 * record is of who did what. Identity and fingerprint come from the content hash (R26), so the same event redacted by
 * other rules is a replay of the record that stands.
 */
export function withoutSecrets(event: AuditEvent, redactor: Redactor): AuditEvent {
  const { data, changes, metadata, actor, targets } = event;
  const safe = redactor.withoutSecrets({
    data,
    metadata,
    actor: actor.metadata,
    targets: targets.map((one) => one.metadata),
  });
  const safeChanges = changes?.map((change) => redactChange(change, redactor));
  const parts = safe.value as SafeParts;
  const changed = safeChanges?.some((change, index) => change !== changes?.[index]) ?? false;
  if (safe.hidden.length === 0 && !changed) return event;
  const hidden = safe.hidden.map((pointer) => pointer.replace(/^\/data/, ''));
  const note =
    hidden.length === 0 || Object.keys(metadata ?? {}).length >= AUDIT_LIMITS.metadataKeys
      ? {}
      : { redacted: listInMetadata(hidden) };
  const noted: AuditMetadata = { ...parts.metadata, ...note };
  return {
    ...event,
    ...(data === undefined ? {} : { data: parts.data as Record<string, JsonValue> }),
    ...(safeChanges === undefined ? {} : { changes: safeChanges }),
    ...(Object.keys(noted).length === 0 ? {} : { metadata: noted }),
    ...(actor.metadata === undefined ? {} : { actor: { ...actor, metadata: parts.actor as AuditMetadata } }),
    targets: targets.map((one, index) =>
      one.metadata === undefined ? one : { ...one, metadata: parts.targets[index] as AuditMetadata },
    ),
  };
}

interface SafeParts {
  readonly data?: unknown;
  readonly metadata?: AuditMetadata;
  readonly actor?: unknown;
  readonly targets: readonly unknown[];
}

function redactChange(change: AuditChange, redactor: Redactor): AuditChange {
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
