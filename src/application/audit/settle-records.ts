import { randomBytes } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import type { AuditEvent } from '../../contract/audit-dto.js';
import type { AuditRecord, RecordVia } from '../../domain/audit/audit-record.js';
import { LEAF_VERSION } from '../../domain/audit/leaf.js';
import { FingerprintKeyError } from './fingerprint.js';
import { leafHash } from './leaf-hash.js';
import {
  type AuditStore,
  type NewRecord,
  type RecordIdentity,
  type StandingRecord,
  StoreUnavailableError,
} from './ports.js';

export interface SettleDeps {
  readonly store: AuditStore;
}

/** What a record says of its way in. */
export interface RecordOrigin {
  readonly keyId: string;
  readonly via: RecordVia;
  /** The server's clock: becomes `recordedAt`. */
  readonly now: Date;
}

/** An event under its identity, with the fingerprint of what was sent. */
export interface IdentifiedEvent {
  readonly identity: RecordIdentity;
  /** As it is stored: what must not be is taken out already. */
  readonly event: AuditEvent;
  readonly hmacKeyId: string;
  readonly fingerprint: Uint8Array;
  /** As of an earlier release, by the same key, where that is another one. */
  readonly formerFingerprint?: Uint8Array;
}

export type Settled =
  | { readonly kind: 'standing'; readonly standing: StandingRecord; readonly created: boolean }
  /** It alone could not be written, for a reason of ours. */
  | { readonly kind: 'failed'; readonly error: unknown };

/**
 * Makes each identity stand, one result for each, in the order given. No identity may occur twice. An error that is not
 * the environment's is narrowed down by halves, so that only what it is about has failed, and one culprit among 500
 * costs some twenty statements. Throws StoreUnavailableError and FingerprintKeyError.
 */
export async function settleRecords(
  deps: SettleDeps,
  origin: RecordOrigin,
  events: readonly IdentifiedEvent[],
): Promise<Settled[]> {
  try {
    return await settle(
      deps.store,
      events.map((event) => newRecord(origin, event)),
    );
  } catch (error) {
    if (isOfTheEnvironment(error)) throw error;
    if (events.length === 1) return [{ kind: 'failed', error }];
    const middle = Math.ceil(events.length / 2);
    return [
      ...(await settleRecords(deps, origin, events.slice(0, middle))),
      ...(await settleRecords(deps, origin, events.slice(middle))),
    ];
  }
}

/** What says nothing about an event: the same request may succeed as soon as somebody has mended the environment. */
export function isOfTheEnvironment(error: unknown): boolean {
  return error instanceof StoreUnavailableError || error instanceof FingerprintKeyError;
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
      if (written.has(entry.record.recordId)) {
        settled.set(entry, { kind: 'standing', standing: asStanding(entry), created: true });
      }
    }
    const losers = open.filter((entry) => !settled.has(entry));
    const found = losers.length === 0 ? [] : await store.readStanding(losers.map(({ identity }) => identity));
    losers.forEach((entry, index) => {
      const standing = found[index] ?? null;
      if (standing !== null) settled.set(entry, { kind: 'standing', standing, created: false });
    });
    open = losers.filter((entry) => !settled.has(entry));
  }
  return records.map((entry) => settled.get(entry) as Settled);
}

/** As `settleRecords` writes it. */
export function newRecord(
  { keyId, via, now }: RecordOrigin,
  { identity, event, hmacKeyId, fingerprint, formerFingerprint }: IdentifiedEvent,
): NewRecord {
  const record: AuditRecord = {
    recordId: uuidv7({ msecs: now.getTime() }),
    recordedAt: now.toISOString(),
    tenantId: identity.tenantId,
    via,
    keyId,
    leafVersion: LEAF_VERSION,
    salt: randomBytes(16).toString('hex'),
    event,
  };
  return {
    identity,
    record,
    hmacKeyId,
    fingerprint,
    ...(formerFingerprint === undefined ? {} : { formerFingerprint }),
    leafHash: leafHash(record),
  };
}

function asStanding({ record, hmacKeyId, fingerprint, leafHash }: NewRecord): StandingRecord {
  return { recordId: record.recordId, recordedAt: record.recordedAt, hmacKeyId, fingerprint, leafHash };
}
