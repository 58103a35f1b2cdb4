import type { AuditEvent } from '../../contract/audit-dto.js';
import { type ApiKey, mayUseAnyTenant, tenantFor } from '../../domain/audit/api-key.js';
import { describeInternalFailure, framesOf } from './describe-internal-failure.js';
import { checkFingerprintKeys, type FingerprintKeys, fingerprint, matchesFingerprint } from './fingerprint.js';
import { formatHash } from './leaf-hash.js';
import type { AuditStore, FailedIngestStore, StandingRecord } from './ports.js';
import { type IdentifiedEvent, isOfTheEnvironment, settleRecords } from './settle-records.js';

export interface RecordAuditLogDeps {
  readonly store: AuditStore;
  readonly failedIngest: FailedIngestStore;
  readonly fingerprintKeys: FingerprintKeys;
  readonly log: { error(fields: object, message: string): void };
}

export interface RecordAuditLogRequest {
  /** Who writes; that it may write at all is the caller's to check. */
  readonly key: ApiKey;
  /** The server's clock: becomes `recordedAt`. */
  readonly now: Date;
  /** Valid by `parseAuditEvent`. */
  readonly events: readonly AuditEvent[];
}

export interface RecordReceipt {
  readonly recordId: string;
  readonly eventId: string;
  readonly recordedAt: string;
  /** `sha-256:` and hex. */
  readonly hash: string;
}

export type RecordOutcome =
  | { readonly kind: 'created'; readonly receipt: RecordReceipt }
  /** The same identity with the same content stands; this is its receipt. Nothing was written. */
  | { readonly kind: 'replayed'; readonly receipt: RecordReceipt }
  /** The same identity with other content stands. Nothing was written. */
  | { readonly kind: 'conflict' }
  /**
   * It could not be stored for a reason of ours. Kept under this id; null: not kept, since the caller is our outbox,
   * which keeps it itself, or since keeping it failed in its turn.
   */
  | { readonly kind: 'failed'; readonly failedIngestId: string | null }
  | { readonly kind: 'tenant_forbidden' }
  /** `contentHash` is for keys with the any-tenant scope (R26). */
  | { readonly kind: 'content_hash_forbidden' };

export type RecordAuditLog = (request: RecordAuditLogRequest) => Promise<RecordOutcome[]>;

/**
 * The one use case that writes audit records: one or many, one outcome for each, in the order given. Whatever races it,
 * one identity has one record (R25, R27). What it cannot store for a reason of its own fails alone, and is kept for a
 * caller that is not our outbox (R28). Throws StoreUnavailableError, or FingerprintKeyError where the keys configured
 * cannot tell (R26); then the same request may be sent again, and what was written already answers as replayed.
 */
export function recordAuditLog(deps: RecordAuditLogDeps): RecordAuditLog {
  let checked = false;
  return async ({ key, now, events }) => {
    // Before the first fingerprint is made or compared, which the start may have been too early for.
    if (!checked) await checkFingerprintKeys(deps.store, deps.fingerprintKeys);
    checked = true;
    const outcomes = new Array<RecordOutcome>(events.length);
    const byIdentity = new Map<string, { first: IdentifiedEvent; positions: number[] }>();
    events.forEach((event, position) => {
      const tenantId = tenantFor(key, event.tenantId);
      if (tenantId === null) {
        outcomes[position] = { kind: 'tenant_forbidden' };
      } else if (event.contentHash !== undefined && !mayUseAnyTenant(key)) {
        outcomes[position] = { kind: 'content_hash_forbidden' };
      } else {
        const identity = { tenantId, source: event.source, eventId: event.eventId };
        const id = JSON.stringify([tenantId, event.source, event.eventId]);
        const group = byIdentity.get(id);
        if (group === undefined) byIdentity.set(id, { first: { identity, event }, positions: [position] });
        else group.positions.push(position);
      }
    });

    const groups = [...byIdentity.values()];
    const origin = { keyId: key.id, via: mayUseAnyTenant(key) ? ('outbox' as const) : ('api' as const), now };
    const settled = await settleRecords(
      deps,
      origin,
      groups.map(({ first }) => first),
    );
    for (const [index, { first, positions }] of groups.entries()) {
      const result = settled[index] as (typeof settled)[number];
      for (const [nth, position] of positions.entries()) {
        const identified = { identity: first.identity, event: events[position] as AuditEvent };
        if (result.kind === 'failed') {
          // Each for itself: one identity may have come twice, with other content.
          outcomes[position] = await keepFailed(deps, key, identified, result.error);
        } else if (result.created && nth === 0) {
          outcomes[position] = { kind: 'created', receipt: receiptOf(result.standing, identified.event) };
        } else {
          outcomes[position] = compare(deps.fingerprintKeys, result.standing, identified.event);
        }
      }
    }
    return outcomes;
  };
}

/** R28. An outage while it is kept is one of the whole request: nothing is told to be kept that is not. */
async function keepFailed(
  deps: RecordAuditLogDeps,
  key: ApiKey,
  { identity, event }: IdentifiedEvent,
  error: unknown,
): Promise<RecordOutcome> {
  const failure = describeInternalFailure(error, event);
  const fields = { event: 'ingest.failed', keyId: key.id, failure, frames: framesOf(error) };
  if (mayUseAnyTenant(key)) {
    deps.log.error({ ...fields, failedIngestId: null }, 'an event could not be stored; our outbox tries it again');
    return { kind: 'failed', failedIngestId: null };
  }
  const [current] = deps.fingerprintKeys;
  try {
    const failedIngestId = await deps.failedIngest.keep({
      identity,
      body: JSON.stringify(event),
      hmacKeyId: current.id,
      fingerprint: fingerprint(current, event),
      failure,
      keyId: key.id,
    });
    const [standing] = failedIngestId === null ? await deps.store.readStanding([identity]) : [];
    if (standing) return compare(deps.fingerprintKeys, standing, event); // another request has stored it meanwhile
    deps.log.error({ ...fields, failedIngestId }, 'an event could not be stored; it is kept');
    return { kind: 'failed', failedIngestId };
  } catch (again) {
    if (isOfTheEnvironment(again)) throw again;
    const keeping = { keeping: describeInternalFailure(again, event), keepingFrames: framesOf(again) };
    deps.log.error({ ...fields, ...keeping, failedIngestId: null }, 'an event could neither be stored nor kept');
    return { kind: 'failed', failedIngestId: null };
  }
}

function compare(keys: FingerprintKeys, standing: StandingRecord, event: AuditEvent): RecordOutcome {
  return matchesFingerprint(keys, standing, event)
    ? { kind: 'replayed', receipt: receiptOf(standing, event) }
    : { kind: 'conflict' };
}

export function receiptOf(standing: StandingRecord, event: AuditEvent): RecordReceipt {
  return {
    recordId: standing.recordId,
    eventId: event.eventId,
    recordedAt: standing.recordedAt,
    hash: formatHash(standing.leafHash),
  };
}
