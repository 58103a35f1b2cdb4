/** Books of a chaos run as they should be, written by hand, for a test to spoil. */

import { DEFAULT_POLICY } from '../../src/domain/delivery/policy.js';
import type { BookLetter, BookRecord, BookRow } from '../../src/main/chaos/books.js';
import type { JournalledEvent } from '../../src/main/chaos/chaos-journal.js';
import type { ChaosAccounts } from '../../src/main/chaos/compare-chaos.js';
import type { LedgerRequest } from '../../src/main/chaos/ports.js';

/** Everything may be changed; `toAccounts` hands it over. */
export interface SpoiltBooks {
  readonly journal: Map<string, JournalledEvent>;
  readonly rows: Map<string, BookRow>;
  requests: LedgerRequest[];
  records: BookRecord[];
  letters: BookLetter[];
  notices: ChaosAccounts['notices'][number][];
  delays: ChaosAccounts['books']['delays'][number][];
  hurried: ChaosAccounts['books']['hurried'][number][];
  misfits: ChaosAccounts['books']['misfits'][number][];
}

export type Scene = 'ledger' | 'audit' | 'dead' | 'rolledBack' | 'stands' | 'gone' | 'act';

export function emptyBooks(): SpoiltBooks {
  const lists = { requests: [], records: [], letters: [], notices: [], delays: [], hurried: [], misfits: [] };
  return { journal: new Map(), rows: new Map(), ...lists };
}

export function toAccounts(books: SpoiltBooks): ChaosAccounts {
  const { journal, requests, notices, ...read } = books;
  const policies = new Map([['p', { ...DEFAULT_POLICY, maxAttempts: 3 }]]);
  return { journal, requests, notices, books: { aheadMs: 0, ...read, policies } };
}

/** One event that went the way of the scene, in all the books. Returns its id. */
export function play(books: SpoiltBooks, scene: Scene, n = books.journal.size + books.rows.size + 1): string {
  const id = `e${n}`;
  const event = journalled(id, n, scene);
  if (scene !== 'act') books.journal.set(id, event);
  if (scene === 'rolledBack' || scene === 'gone') return id;
  const toAudit = event.routingKey === 'audit.log';
  const effect = `effect-${books.requests.length + 1}`;
  books.rows.set(id, {
    id,
    eventName: scene === 'act' ? 'outbox.dead_letter.redriven.v1' : 'chaos.thing.changed.v1',
    routingKey: event.routingKey,
    eventType: event.eventType,
    tenantId: event.tenantId,
    source: 'outbox:chaos',
    aggregate: event.aggregate,
    version: event.version,
    payloadHash: event.hash,
    edited: false,
    delivery: {
      status: scene === 'dead' ? 'DEAD' : 'DELIVERED',
      destination: event.routingKey,
      tenant: event.tenantId,
      epoch: 0,
      policyHash: 'p',
      ordered: event.version !== null,
      startedAt: n * 10,
      settledAt: n * 10 + 5,
      receiptId: scene === 'dead' ? null : toAudit ? `r-${id}` : effect,
      replayed: false,
      carried: false,
      failures: scene === 'dead' ? { 'HTTP.SERVER_ERROR': 3, 'DELIVERY.CANCELLED': 1 } : {},
      hangs: null,
    },
  });
  if (scene === 'dead') {
    books.letters.push({
      id: `l-${id}`,
      eventId: id,
      epoch: 0,
      state: 'open',
      code: 'HTTP.SERVER_ERROR',
      retryCount: 3,
      effect: 'none',
      asks: false,
      notifications: [{ claimedBy: `group-${id}`, done: true, outcome: { webhook: 'sent' } }],
    });
    books.notices.push({ at: 1, channel: 'webhook', body: '', status: 200 });
    return id;
  }
  if (toAudit) {
    const seq = books.records.length + 1;
    books.records.push({
      recordId: `r-${id}`,
      eventId: id,
      tenantId: event.tenantId,
      source: 'outbox:chaos',
      seq,
      shown: 's',
    });
  } else {
    const seen = { at: 1, key: id, eventId: id, tenant: event.tenantId, payloadHash: event.hash };
    books.requests.push({ ...seen, did: 'effect', status: 201, receipt: effect, heldMs: 0 });
  }
  return id;
}

function journalled(id: string, n: number, scene: Scene): JournalledEvent {
  const fates = { rolledBack: 'rolledBack', stands: 'inDoubt', gone: 'inDoubt' } as const;
  const fate = scene in fates ? fates[scene as keyof typeof fates] : 'committed';
  return {
    id,
    routingKey: scene === 'audit' || scene === 'act' ? 'audit.log' : 'chaos.ledger',
    eventType: 'CHAOS',
    tenantId: `tenant-${n % 3}`,
    aggregate: 'chaos/hot',
    version: scene === 'ledger' ? n : null,
    hash: `hash-${id}`,
    shown: 's',
    expect: scene === 'dead' ? 'either' : 'delivered',
    fate,
    tx: `tx-${n}`,
    intentAt: n * 10,
    endedAt: fate === 'inDoubt' ? null : n * 10 + 1,
  };
}
