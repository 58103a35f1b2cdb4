/** The destination: one effect for a key, whatever comes how often. Each call is a gate; what is lost after it, was done. */
import type { BatchDispatcher, Dispatcher, EffectFinder } from '../../src/application/delivery/ports.js';
import type { ErrorCode } from '../../src/domain/delivery/error-catalog.js';
import { IntegrationError } from '../../src/domain/delivery/integration-error.js';
import type { OutboxEvent } from '../../src/domain/delivery/outbox-event.js';
import type { Receipt } from '../../src/domain/delivery/receipt.js';
import { type Job, type Opened, passGate } from './jobs.js';

/** Without an effect. */
const REFUSALS: readonly (ErrorCode | 'busy')[] = [
  'HTTP.SERVER_ERROR',
  'HTTP.CLIENT_ERROR',
  'HTTP.SERVER_ERROR',
  'HTTP.RATE_LIMITED',
  'busy',
  'HTTP.NETWORK',
  'DELIVERY.CANCELLED',
  'HTTP.TIMEOUT',
];
/** The choice that ends an event at once. */
export const FINAL = REFUSALS.indexOf('HTTP.CLIENT_ERROR');
/** After one. */
const LOSSES: readonly ErrorCode[] = ['HTTP.TIMEOUT', 'HTTP.NETWORK', 'HTTP.SERVER_ERROR', 'DELIVERY.CANCELLED'];

const pick = <T>(list: readonly T[], choice: number): T => list[choice % list.length] as T;

export type Mood = Opened & { readonly outcome: 'lost' | 'refused' };

export function createLedger() {
  /** By key: the receipt, and what was asked for. */
  const effects = new Map<string, { readonly receiptId: string; readonly content: string }>();
  /** What its next calls meet, whoever makes them. */
  const mood: Mood[] = [];

  function effect(event: OutboxEvent): Receipt {
    const content = JSON.stringify(event.payload);
    const stands = effects.get(event.id);
    if (stands !== undefined && stands.content !== content) throw new IntegrationError('HTTP.ID_CONFLICT');
    if (stands === undefined) effects.set(event.id, { receiptId: `r-${event.id}`, content });
    return receiptOf(`r-${event.id}`, stands !== undefined);
  }

  return {
    effects,
    mood,
    dispatcherOf(job: Job): Dispatcher & BatchDispatcher {
      const call = async (ids: readonly string[]) => {
        job.notes.push({ kind: 'sent', eventIds: ids });
        const gate = await passGate(job, { kind: 'call', label: `send ${ids.length}` });
        const opened = gate.outcome === 'ok' ? (mood.shift() ?? gate) : gate;
        if (opened.outcome !== 'refused') return opened;
        const refusal = pick(REFUSALS, opened.choice);
        if (refusal === 'busy') return 'busy' as const;
        throw new IntegrationError(refusal);
      };
      const hear = async (lost: boolean, choice: number) => {
        const heard = await passGate(job, { kind: 'call', label: 'hear' });
        if (lost || heard.outcome === 'lost' || heard.outcome === 'refused') {
          throw new IntegrationError(pick(LOSSES, choice + heard.choice));
        }
      };
      return {
        async dispatch(event) {
          const opened = await call([event.id]);
          if (opened === 'busy') return 'busy';
          const receipt = effect(event);
          await hear(opened.outcome === 'lost', opened.choice);
          return receipt;
        },
        async dispatchBatch(events) {
          const opened = await call(events.map(({ id }) => id));
          if (opened === 'busy') return 'busy';
          const lost = opened.outcome === 'lost';
          const done = lost && opened.choice % 2 === 1 ? events.slice(1) : events;
          const refusesFirst = !lost && opened.choice % 4 === 3;
          const answers = done.map((event, at) => {
            if (refusesFirst && at === 0)
              return new IntegrationError(pick(['HTTP.CLIENT_ERROR', 'HTTP.SERVER_ERROR'], opened.choice >> 2));
            try {
              return effect(event);
            } catch (error) {
              return error as IntegrationError;
            }
          });
          await hear(lost, opened.choice);
          return answers;
        },
      };
    },
    finderOf(job: Job): EffectFinder {
      return {
        async find(event) {
          const opened = await passGate(job, { kind: 'call', label: 'find' });
          if (opened.outcome !== 'ok' && opened.outcome !== 'slow') throw new IntegrationError('HTTP.TIMEOUT');
          const stands = effects.get(event.id);
          return stands === undefined
            ? { kind: 'none' }
            : { kind: 'stands', receipt: receiptOf(stands.receiptId, true) };
        },
      };
    },
  };
}

export type Ledger = ReturnType<typeof createLedger>;

function receiptOf(id: string, replayed: boolean): Receipt {
  return { id, hash: 'h', status: 201, at: '2026-01-01T00:00:00.000Z', replayed };
}
