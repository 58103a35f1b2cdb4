import { AUDIT_LIMITS, type FieldProblem, parseAuditEvent } from '../../contract/audit-dto.js';
import { parseJsonText } from '../../contract/json-text.js';
import type { InternalFailure } from '../../domain/audit/failed-ingest.js';
import { describeInternalFailure, framesOf } from './describe-internal-failure.js';
import { type NotOpen, whyNotOpen } from './discard-failed-ingest.js';
import { checkFingerprintKeys, type FingerprintKeys, matchesFingerprint } from './fingerprint.js';
import type { AuditStore, FailedIngestRef, FailedIngestStore, FoundFailedIngest, PersonsWord } from './ports.js';
import { type RecordReceipt, receiptOf } from './record-audit-log.js';
import { recordOfPerson } from './record-of-person.js';
import { type Settled, settleRecords } from './settle-records.js';

export interface RetryFailedIngestDeps {
  readonly failedIngest: FailedIngestStore;
  readonly store: AuditStore;
  readonly fingerprintKeys: FingerprintKeys;
  readonly log: { info(fields: object, message: string): void; error(fields: object, message: string): void };
}

export type RetryOutcome =
  | { readonly kind: 'stored'; readonly receipt: RecordReceipt }
  /** A record with other content has taken the identity: closed, never stored. */
  | { readonly kind: 'other_content' }
  /** It stays open. */
  | { readonly kind: 'failed'; readonly failure: InternalFailure }
  /** What was kept is no event of DTO v1 any more. It stays open, for a person to discard. */
  | { readonly kind: 'invalid'; readonly problems: readonly FieldProblem[] }
  | NotOpen;

export type RetryFailedIngest = (ref: FailedIngestRef, word: PersonsWord) => Promise<RetryOutcome>;

/**
 * Stores now what could not be stored before, as its sender's (R28): twice at once, or beside the sender's own resend,
 * makes one record. That it was asked for is an audit record itself. Throws StoreUnavailableError and FingerprintKeyError; the same retry may be asked for again.
 */
export function retryFailedIngest(deps: RetryFailedIngestDeps): RetryFailedIngest {
  return async (ref, word) => {
    // Before the first fingerprint: the person's record has one, too.
    await checkFingerprintKeys(deps.store, deps.fingerprintKeys);
    const record = recordOfPerson(deps.fingerprintKeys, 'retried', word);
    const row = await deps.failedIngest.noteRetry(ref, word, record);
    if (row === null) return whyNotOpen(deps.failedIngest, ref);
    const outcome = await storeAgain(deps, row);
    const fields = { event: 'ingest.retried', failedIngestId: row.id, actor: word.actor, outcome: outcome.kind };
    deps.log.info(fields, 'a failed event was retried');
    return outcome;
  };
}

async function storeAgain(deps: RetryFailedIngestDeps, row: FoundFailedIngest): Promise<RetryOutcome> {
  const json = parseJsonText(Buffer.from(row.body), AUDIT_LIMITS.depth);
  if (!json.ok) return { kind: 'invalid', problems: [{ pointer: json.pointer ?? '', detail: json.detail }] };
  const parsed = parseAuditEvent(json.value, row.readAt);
  if (!parsed.ok) return { kind: 'invalid', problems: parsed.problems };
  const { event } = parsed;
  const identity = { tenantId: row.tenantId, source: row.source, eventId: row.eventId };

  // Only callers that are not our outbox have rows here.
  const origin = { keyId: row.keyId, via: 'api' as const, now: row.readAt };
  const [settled] = (await settleRecords(deps, origin, [{ identity, event }])) as [Settled];
  if (settled.kind === 'failed') {
    const failure = describeInternalFailure(settled.error, event);
    const fields = { event: 'ingest.failed', failedIngestId: row.id, failure, frames: framesOf(settled.error) };
    deps.log.error(fields, 'a failed event could not be stored again');
    await deps.failedIngest.countFailure(row.id, failure);
    return { kind: 'failed', failure };
  }
  // The transaction that stored it has closed the row, but where the record stood before, or the fingerprint's key is
  // another by now, which no statement can compare.
  const state = matchesFingerprint(deps.fingerprintKeys, settled.standing, event) ? 'stored' : 'other_content';
  await deps.failedIngest.close(row.id, state);
  return state === 'stored' ? { kind: state, receipt: receiptOf(settled.standing, event) } : { kind: state };
}
