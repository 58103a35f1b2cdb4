import {
  ACTOR_TYPES,
  AUDIT_LIMITS,
  type AuditActor,
  type AuditActorType,
  type JsonValue,
} from '../../../contract/audit-dto.js';
import { cutText } from '../../../contract/fit-text.js';
import type { IntegrationEvent } from '../../../domain/delivery/integration-event.js';
import { cutIdentifier } from './cut-identifier.js';

/**
 * Who did it: `headers.actor`, else `payload.actor`, else `payload.userId`, else the system that the event comes from.
 * An actor is an object {type?, id, name?, sessionId?, onBehalfOf?} or the id of a user; one without a usable id counts
 * as absent, unless it is anonymous.
 */
export function toActor(event: IntegrationEvent): AuditActor {
  return (
    readActor(event.headers.actor) ??
    readActor(event.payload.actor) ??
    readActor(event.payload.userId) ?? { type: 'system', id: cutIdentifier(event.source, AUDIT_LIMITS.actorId) }
  );
}

function readActor(value: JsonValue | undefined): AuditActor | null {
  const lone = readId(value);
  if (lone !== null) return { type: 'user', id: lone };
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  const type = readType(value.type);
  const id = readId(value.id);
  if (id === null && type !== 'anonymous') return null;
  const name = readText(value.name, AUDIT_LIMITS.name);
  const sessionId = readText(value.sessionId, AUDIT_LIMITS.sessionId);
  const onBehalfOf = readParty(value.onBehalfOf);
  return {
    type,
    ...(id === null ? {} : { id }),
    ...(name === null ? {} : { name }),
    ...(sessionId === null ? {} : { sessionId }),
    ...(onBehalfOf === null ? {} : { onBehalfOf }),
  };
}

function readParty(value: JsonValue | undefined): AuditActor['onBehalfOf'] | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  const id = readId(value.id);
  return id === null ? null : { type: readType(value.type), id };
}

function readType(value: JsonValue | undefined): AuditActorType {
  return ACTOR_TYPES.find((type) => type === value) ?? 'user';
}

function readId(value: JsonValue | undefined): string | null {
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' && value !== '' ? cutIdentifier(value, AUDIT_LIMITS.actorId) : null;
}

function readText(value: JsonValue | undefined, max: number): string | null {
  return typeof value === 'string' && value !== '' ? cutText(value, max) : null;
}
