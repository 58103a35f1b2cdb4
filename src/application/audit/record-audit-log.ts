import { randomBytes } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import type { AuditEvent } from '../../contract/audit-dto.js';
import { type ApiKey, mayUseAnyTenant, tenantFor } from '../../domain/audit/api-key.js';
import type { AuditRecord } from '../../domain/audit/audit-record.js';
import { LEAF_VERSION } from '../../domain/audit/leaf.js';
import { checkFingerprintKeys, type FingerprintKeys, fingerprint, matchesFingerprint } from './fingerprint.js';
import { formatHash, leafHash } from './leaf-hash.js';
import type { AuditStore, NewRecord, RecordIdentity, StandingRecord } from './ports.js';

export interface RecordAuditLogDeps {
  readonly store: AuditStore;
  readonly fingerprintKeys: FingerprintKeys;
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
  | { readonly kind: 'tenant_forbidden' }
  /** `contentHash` is for keys with the any-tenant scope (R26). */
  | { readonly kind: 'content_hash_forbidden' };

export type RecordAuditLog = (request: RecordAuditLogRequest) => Promise<RecordOutcome[]>;

/**
 * The one use case that writes audit records: one or many, one outcome for each, in the order given. Whatever races it,
 * one identity has one record (R25, R27). Throws StoreUnavailableError, or FingerprintKeyError where the keys configured
 * cannot tell (R26); then the same request may be sent again, and what was written already answers as replayed.
 */
export function recordAuditLog(deps: RecordAuditLogDeps): RecordAuditLog {
  let checked = false;
  return async ({ key, now, events }) => {
    // Before the first fingerprint is made or compared, which the start may have been too early for.
    if (!checked) await checkFingerprintKeys(deps.store, deps.fingerprintKeys);
    checked = true;
    const outcomes = new Array<RecordOutcome>(events.length);
    const byIdentity = new Map<string, { identity: RecordIdentity; positions: number[] }>();
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
        if (group === undefined) byIdentity.set(id, { identity, positions: [position] });
        else group.positions.push(position);
      }
    });

    const groups = [...byIdentity.values()];
    const settled = await settle(
      deps.store,
      groups.map(({ identity, positions }) =>
        newRecord(deps.fingerprintKeys, key, now, identity, events[positions[0] as number] as AuditEvent),
      ),
    );
    groups.forEach(({ positions }, index) => {
      const { standing, created } = settled[index] as Settled;
      positions.forEach((position, nth) => {
        const event = events[position] as AuditEvent;
        if (created && nth === 0) {
          outcomes[position] = { kind: 'created', receipt: receiptOf(standing, event) };
        } else if (matchesFingerprint(deps.fingerprintKeys, standing, event)) {
          outcomes[position] = { kind: 'replayed', receipt: receiptOf(standing, event) };
        } else {
          outcomes[position] = { kind: 'conflict' };
        }
      });
    });
    return outcomes;
  };
}

interface Settled {
  readonly standing: StandingRecord;
  readonly created: boolean;
}

/**
 * R27: write what is new; read the losers in a statement of its own, since the writing one cannot see its winners; a
 * loser that finds no winner (it rolled back) is tried once more.
 */
async function settle(store: AuditStore, records: readonly NewRecord[]): Promise<Settled[]> {
  const settled = new Map<NewRecord, Settled>();
  let open = records;
  for (let round = 0; open.length > 0; round++) {
    if (round === 2) throw new Error(`expected ${open.length} identities to stand after two tries, found none`);
    const written = await store.insertNew(open);
    for (const entry of open) {
      if (written.has(entry.record.recordId)) settled.set(entry, { standing: asStanding(entry), created: true });
    }
    const losers = open.filter((entry) => !settled.has(entry));
    const found = losers.length === 0 ? [] : await store.readStanding(losers.map(({ identity }) => identity));
    losers.forEach((entry, index) => {
      const standing = found[index] ?? null;
      if (standing !== null) settled.set(entry, { standing, created: false });
    });
    open = losers.filter((entry) => !settled.has(entry));
  }
  return records.map((entry) => settled.get(entry) as Settled);
}

function newRecord(
  [current]: FingerprintKeys,
  key: ApiKey,
  now: Date,
  identity: RecordIdentity,
  event: AuditEvent,
): NewRecord {
  const record: AuditRecord = {
    recordId: uuidv7({ msecs: now.getTime() }),
    recordedAt: now.toISOString(),
    tenantId: identity.tenantId,
    via: mayUseAnyTenant(key) ? 'outbox' : 'api',
    keyId: key.id,
    leafVersion: LEAF_VERSION,
    salt: randomBytes(16).toString('hex'),
    event,
  };
  return {
    identity,
    record,
    hmacKeyId: current.id,
    fingerprint: fingerprint(current, event),
    leafHash: leafHash(record),
  };
}

function asStanding({ record, hmacKeyId, fingerprint, leafHash }: NewRecord): StandingRecord {
  return { recordId: record.recordId, recordedAt: record.recordedAt, hmacKeyId, fingerprint, leafHash };
}

function receiptOf(standing: StandingRecord, event: AuditEvent): RecordReceipt {
  return {
    recordId: standing.recordId,
    eventId: event.eventId,
    recordedAt: standing.recordedAt,
    hash: formatHash(standing.leafHash),
  };
}
