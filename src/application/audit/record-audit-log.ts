import type { AuditEvent, FieldProblem } from '../../contract/audit-dto.js';
import { type ApiKey, mayUseAnyTenant, tenantFor } from '../../domain/audit/api-key.js';
import { describeInternalFailure, framesOf } from './describe-internal-failure.js';
import {
  checkFingerprintKeys,
  type FingerprintKeys,
  fingerprint,
  matchesSent,
  type SentContent,
} from './fingerprint.js';
import type { IngestRules } from './ingest-rules.js';
import { formatHash } from './leaf-hash.js';
import type { AuditStore, FailedIngestStore, RecordIdentity, StandingRecord } from './ports.js';
import { type IdentifiedEvent, isOfTheEnvironment, settleRecords } from './settle-records.js';

export interface RecordAuditLogDeps {
  readonly store: AuditStore;
  readonly failedIngest: FailedIngestStore;
  readonly fingerprintKeys: FingerprintKeys;
  readonly rules: IngestRules;
  readonly log: { error(fields: object, message: string): void };
}

export interface SentEvent extends SentContent {
  /** Valid by `parseAuditEvent`. */
  readonly event: AuditEvent;
}

export interface RecordAuditLogRequest {
  /** Who writes; that it may write at all is the caller's to check. */
  readonly key: ApiKey;
  /** The server's clock: becomes `recordedAt`. */
  readonly now: Date;
  readonly events: readonly SentEvent[];
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
  | { readonly kind: 'content_hash_forbidden' }
  /** It does not fit the schema of its action. Pointers lead into the audit event. */
  | { readonly kind: 'schema_mismatch'; readonly problems: readonly FieldProblem[] };

export type RecordAuditLog = (request: RecordAuditLogRequest) => Promise<RecordOutcome[]>;

/**
 * The one use case that writes audit records: one or many, one outcome for each, in the order given. Whatever races it,
 * one identity has one record (R25, R27). What it cannot store for a reason of its own fails alone, and is kept for a
 * caller that is not our outbox (R28). Fingerprinted as sent, then redacted: what is stored, here or in `failed_ingest`, and
 * the leaf over it hold no secret, and a resend is a replay whatever the rules are by then. Throws StoreUnavailableError, or FingerprintKeyError where the keys configured
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
    events.forEach((sent, position) => {
      const { event } = sent;
      const tenantId = tenantFor(key, event.tenantId);
      if (tenantId === null) {
        outcomes[position] = { kind: 'tenant_forbidden' };
      } else if (event.contentHash !== undefined && !mayUseAnyTenant(key)) {
        outcomes[position] = { kind: 'content_hash_forbidden' };
      } else {
        const problems = deps.rules.check(event);
        if (problems.length > 0) {
          outcomes[position] = { kind: 'schema_mismatch', problems };
          return;
        }
        const identity = { tenantId, source: event.source, eventId: event.eventId };
        const id = JSON.stringify([tenantId, event.source, event.eventId]);
        const group = byIdentity.get(id);
        if (group === undefined) byIdentity.set(id, { first: identify(deps, identity, sent), positions: [position] });
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
        const sent = events[position] as SentEvent;
        if (result.kind === 'failed') {
          // Each for itself: one identity may have come twice, with other content.
          outcomes[position] = await keepFailed(deps, key, first.identity, sent, result.error);
        } else if (result.created && nth === 0) {
          outcomes[position] = { kind: 'created', receipt: receiptOf(result.standing, sent.event) };
        } else {
          outcomes[position] = compare(deps.fingerprintKeys, result.standing, sent);
        }
      }
    }
    return outcomes;
  };
}

/**
 * What is sent as what is stored: redacted, and without its content hash. That one is a hash of the whole payload without a
 * salt, by which a reader could test guesses at what was taken out, or never sent here; what has to be known of it is in the
 * fingerprint, which is keyed.
 */
function identify(
  { fingerprintKeys: [current], rules }: RecordAuditLogDeps,
  identity: RecordIdentity,
  { event, content, formerContent }: SentEvent,
): IdentifiedEvent {
  const { contentHash: _contentHash, ...stored } = rules.redact(event);
  return {
    identity,
    event: stored,
    hmacKeyId: current.id,
    fingerprint: fingerprint(current, content),
    ...(formerContent === undefined ? {} : { formerFingerprint: fingerprint(current, formerContent) }),
  };
}

/** R28. An outage while it is kept is one of the whole request: nothing is told to be kept that is not. */
async function keepFailed(
  deps: RecordAuditLogDeps,
  key: ApiKey,
  identity: RecordIdentity,
  sent: SentEvent,
  error: unknown,
): Promise<RecordOutcome> {
  const failure = describeInternalFailure(error, sent.event);
  const fields = { event: 'ingest.failed', keyId: key.id, failure, frames: framesOf(error) };
  if (mayUseAnyTenant(key)) {
    deps.log.error({ ...fields, failedIngestId: null }, 'an event could not be stored; our outbox tries it again');
    return { kind: 'failed', failedIngestId: null };
  }
  try {
    const { event, ...kept } = identify(deps, identity, sent);
    const failedIngestId = await deps.failedIngest.keep({
      ...kept,
      body: JSON.stringify(event),
      failure,
      keyId: key.id,
    });
    const [standing] = failedIngestId === null ? await deps.store.readStanding([identity]) : [];
    if (standing) return compare(deps.fingerprintKeys, standing, sent); // another request has stored it meanwhile
    deps.log.error({ ...fields, failedIngestId }, 'an event could not be stored; it is kept');
    return { kind: 'failed', failedIngestId };
  } catch (again) {
    if (isOfTheEnvironment(again)) throw again;
    const keeping = { keeping: describeInternalFailure(again, sent.event), keepingFrames: framesOf(again) };
    deps.log.error({ ...fields, ...keeping, failedIngestId: null }, 'an event could neither be stored nor kept');
    return { kind: 'failed', failedIngestId: null };
  }
}

function compare(keys: FingerprintKeys, standing: StandingRecord, sent: SentEvent): RecordOutcome {
  return matchesSent(keys, standing, sent)
    ? { kind: 'replayed', receipt: receiptOf(standing, sent.event) }
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
