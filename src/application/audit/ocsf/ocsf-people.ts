import type { AuditActor, AuditActorType, AuditEvent } from '../../../contract/audit-dto.js';

/** OCSF's kinds of user: 0 unknown, 1 user, 3 system, 99 another one, named by `type`. */
const TYPES = {
  user: [1, 'User'],
  service: [99, 'Service'],
  system: [3, 'System'],
  apiKey: [99, 'API Key'],
  anonymous: [0, 'Unknown'],
} as const satisfies Record<AuditActorType, readonly [number, string]>;

export interface OcsfUser {
  readonly type_id: number;
  readonly type: string;
  readonly uid?: string;
  readonly name?: string;
}

export function actorUser({ type, id, name }: AuditActor): OcsfUser {
  const [typeId, typeName] = TYPES[type];
  return {
    type_id: typeId,
    type: typeName,
    ...(id === undefined ? {} : { uid: id }),
    ...(name === undefined ? {} : { name }),
  };
}

/** Who was signed in or out, where that is said apart from who did it. */
export function targetUser({ targets }: AuditEvent): OcsfUser | null {
  const user = targets.find(({ type }) => type === 'user');
  return user === undefined ? null : actorUser({ type: 'user', id: user.id, name: user.name });
}

export function toResources(targets: AuditEvent['targets']): object[] {
  return targets.map(({ type, id, name }) => ({ type, uid: id, ...(name === undefined ? {} : { name }) }));
}
