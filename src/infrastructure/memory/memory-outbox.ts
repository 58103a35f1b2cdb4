import type { OutboxConfig } from '../../application/delivery/define-config.js';
import { createDispatcher } from '../../application/delivery/dispatcher.js';
import { createEffectFinder } from '../../application/delivery/find-effect.js';
import { auditHandler } from '../../application/delivery/handlers/audit-handler.js';
import type { HttpClient, Logger } from '../../application/delivery/ports.js';
import type { AuditEvent } from '../../contract/audit-dto.js';
import type { OutboxEvent } from '../../domain/delivery/outbox-event.js';
import { DEFAULT_POLICY } from '../../domain/delivery/policy.js';
import { createRedactor } from '../../domain/redaction/redactor.js';
import { FakeHttpClient } from '../http/fake-http-client.js';
import { MEMORY_AUDIT_URL, withAuditLog } from './accepting-audit-log.js';
import { deliverPending } from './deliver-pending.js';
import { createMemoryStore, type MemoryDelivery } from './memory-store.js';
import { type MemoryTransaction, runMemoryTransaction } from './memory-transaction.js';

export interface MemoryOutboxOptions {
  /** Default `main`: events without a source of their own have `outbox:main`. */
  readonly deployment?: string;
  /** What the jitter of the delays is drawn from. Default: always 0.5, so that a test sees the same delays each time. */
  readonly random?: () => number;
}

export interface DeliverOptions {
  /** What handlers send with. Default: a FakeHttpClient without a script, to which every request is unreachable. */
  readonly http?: HttpClient;
  /** Of one attempt, in real time. Default 5 s. */
  readonly timeoutMs?: number;
  /** Default: says nothing. */
  readonly log?: Logger;
}

export interface MemoryOutbox {
  /** `work` gets what `recordEvent` takes. Its events stand when it resolves, and nothing is left of them when it throws. */
  transaction<T>(work: (tx: MemoryTransaction) => Promise<T>): Promise<T>;
  /** Committed events, in the order of their commits. */
  events(): OutboxEvent[];
  /** The same events with what has become of each: status, receipt, attempts, dead letters. */
  deliveries(): MemoryDelivery[];
  /**
   * Delivers all that is pending, until each event has its receipt or is a dead letter. Handlers run for real; waits
   * between attempts, and for `availableAt`, take no time. Returns `deliveries()`.
   */
  deliver(config: OutboxConfig, options?: DeliverOptions): Promise<MemoryDelivery[]>;
  /** What the audit log was sent: it accepts everything here. */
  auditEvents(): AuditEvent[];
  /** A dead event is pending again, in its next epoch. Throws where there is no open dead letter. */
  redrive(eventId: string): Promise<void>;
}

/**
 * The outbox without PostgreSQL and Temporal, for unit tests of the code that appends and of the handlers: the same checks
 * of an event, dispatcher, error table, retry policy and dead letters.
 *
 * What it cannot tell you: whether your business rows and the event share one transaction (it sees the event only), what
 * PostgreSQL's locks and isolation do, what happens when a process dies, and how many run at once (here: one attempt after
 * another, all of them "regular"). Content hashes are not those that the database computes. Delays are virtual, but a
 * handler's own clock and deadlines are real.
 */
export function createMemoryOutbox({
  deployment = 'main',
  random = () => 0.5,
}: MemoryOutboxOptions = {}): MemoryOutbox {
  let skippedMs = 0;
  const now = () => Date.now() + skippedMs;
  const skipTo = (time: number) => {
    skippedMs += Math.max(0, time - now());
  };
  const store = createMemoryStore({ now, policy: DEFAULT_POLICY });
  const source = `outbox:${deployment}`;
  const audited: AuditEvent[] = [];
  const deliveries = () => structuredClone([...store.rows.values()]);

  return {
    transaction: (work) => runMemoryTransaction({ rows: store.rows, now, source }, work),
    events: () => deliveries().map(({ event }) => event),
    deliveries,
    auditEvents: () => structuredClone(audited),
    async deliver(
      { handlers = [], mappers = {}, redaction = {} },
      { http = new FakeHttpClient(), timeoutMs = 5_000, log = SILENT } = {},
    ) {
      const audit = auditHandler({ baseUrl: MEMORY_AUDIT_URL, apiKey: 'in-memory', mappers, redaction });
      const outside = { handlers: [audit, ...handlers], http: withAuditLog(http, audited), log };
      const dispatcher = createDispatcher({ ...outside, places: { local: 1, regular: 1 } });
      const finder = createEffectFinder(outside);
      const redactor = createRedactor(redaction);
      await deliverPending({ store, dispatcher, finder, log, redactor, random, skipTo }, timeoutMs);
      return deliveries();
    },
    async redrive(eventId) {
      const { kind } = store.redrive(eventId);
      if (kind !== 'redriven') throw new Error(`Expected a dead event to redrive, got ${eventId}: ${kind}`);
    },
  };
}

const SILENT: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
