/**
 * What `recordEvent` keeps through whatever transaction it is given (R30). A client brings its transaction, itself outside
 * of one, and the store that its commits go to.
 */
import type { NewOutboxEvent } from '../../src/application/delivery/new-outbox-event.js';
import type { AttemptStore } from '../../src/application/delivery/ports.js';
import {
  NotInTransactionError,
  type OutboxTransaction,
  recordEvent,
  recordEvents,
} from '../../src/infrastructure/prisma/record-event.js';

export interface ProducerSubject {
  transaction(work: (tx: OutboxTransaction) => Promise<void>): Promise<void>;
  outside(): OutboxTransaction;
  /** What others see of the store. */
  readonly attempts: () => Pick<AttemptStore, 'loadEvent'>;
}

export const signedIn: NewOutboxEvent = {
  eventName: 'auth.user.signed_in.v1',
  eventType: 'AUTH',
  aggregate: { type: 'user', id: '42', version: 3 },
  tenantId: 'acme',
  payload: { text: 'ü 😀 \\ " \' $1 {x} --', nested: { list: [1, 2.5, null, true], '': {} } },
};

export function recordEventContract(name: string, { transaction, outside, attempts }: ProducerSubject): void {
  const stored = async (eventId: string) => {
    const loaded = await attempts().loadEvent({ eventId, epoch: 0, carrier: null }, 5_000);
    return loaded.kind === 'found' ? loaded.event : null;
  };

  describe(`recordEvent contract: ${name}`, () => {
    it('R30: appends an event, visible once the transaction commits, completed with what it did not name', async () => {
      let id = '';
      await transaction(async (tx) => {
        id = await recordEvent(tx, signedIn);
        expect(await stored(id)).toBeNull();
      });
      expect(await stored(id)).toEqual({
        id,
        eventName: 'auth.user.signed_in.v1',
        eventType: 'AUTH',
        routingKey: 'audit.log',
        source: 'outbox:main',
        aggregateType: 'user',
        aggregateId: '42',
        aggregateVersion: 3,
        tenantId: 'acme',
        payload: signedIn.payload,
        headers: {},
        contentHash: expect.stringMatching(/^sha-256:[0-9a-f]{64}$/),
        occurredAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        recordedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        numbersAsStrings: [],
      });
    });

    it('keeps what the producer named: routing key, source, headers, the time to the millisecond in UTC', async () => {
      const named = { routingKey: 'crm.contact', source: 'shop', headers: { correlationId: 'c-1' } };
      let id = '';
      await transaction(async (tx) => {
        id = await recordEvent(tx, { ...signedIn, ...named, occurredAt: '2026-01-02T03:04:05.678901+02:00' });
      });
      expect(await stored(id)).toMatchObject({ ...named, occurredAt: '2026-01-02T01:04:05.678Z' });
    });

    it('a rolled-back transaction leaves nothing', async () => {
      let ids: string[] = [];
      const rolledBack = transaction(async (tx) => {
        ids = await recordEvents(tx, [signedIn, signedIn]);
        throw new Error('business says no');
      });
      await expect(rolledBack).rejects.toThrow('business says no');
      expect(ids).toHaveLength(2);
      for (const id of ids) expect(await stored(id)).toBeNull();
    });

    it('R30: outside a transaction it is refused, and nothing is appended', async () => {
      const id = '0197d3a0-0000-7000-8000-00000000dead';
      await expect(recordEvent(outside(), { ...signedIn, id })).rejects.toThrow(NotInTransactionError);
      expect(await stored(id)).toBeNull();
    });

    it('an event that does not fit is refused before anything is sent: the transaction goes on', async () => {
      let id = '';
      await transaction(async (tx) => {
        await expect(recordEvent(tx, { ...signedIn, payload: { when: new Date() } })).rejects.toMatchObject({
          code: 'DISPATCH.INVALID_EVENT',
          field: '/payload/when',
        });
        id = await recordEvent(tx, signedIn);
      });
      expect(await stored(id)).not.toBeNull();
    });

    it('many are appended together, ids in the order given', async () => {
      let ids: string[] = [];
      const names = ['a.first.v1', 'a.second.v1', 'a.third.v1'];
      await transaction(async (tx) => {
        ids = await recordEvents(
          tx,
          names.map((eventName) => ({ ...signedIn, eventName })),
        );
      });
      expect(await Promise.all(ids.map(async (id) => (await stored(id))?.eventName))).toEqual(names);
    });

    it('an id that stands already, and a time too far ahead, fail the transaction with their SQLSTATE', async () => {
      let id = '';
      await transaction(async (tx) => {
        id = await recordEvent(tx, signedIn);
      });
      const ahead = new Date(Date.now() + 3_600_000);
      for (const [more, sqlState] of [
        [{ id }, '23505'],
        [{ occurredAt: ahead }, '22023'],
      ] as const) {
        let other = '';
        const failing = transaction(async (tx) => {
          other = await recordEvent(tx, signedIn);
          await recordEvent(tx, { ...signedIn, ...more });
        });
        expect(flatten(await failing.catch((error: unknown) => error))).toContain(sqlState);
        expect(await stored(other)).toBeNull();
      }
    });

    it('whoever catches an error of the database has no transaction left to go on with', async () => {
      let ids: string[] = [];
      const going = transaction(async (tx) => {
        const id = await recordEvent(tx, signedIn);
        ids = [id];
        await recordEvent(tx, { ...signedIn, id }).catch(() => undefined);
        ids.push(await recordEvent(tx, signedIn));
      });
      expect(flatten(await going.catch((error: unknown) => error))).toContain('25P02');
      expect(ids).toHaveLength(1);
      expect(await stored(ids[0] as string)).toBeNull();
    });
  });
}

/** Every client wraps the database's error in its own way. */
function flatten(error: unknown): string {
  if (typeof error !== 'object' || error === null) return String(error);
  const { message, code, cause, meta } = error as Record<string, unknown>;
  return JSON.stringify([message, code, meta, (cause as { code?: unknown } | undefined)?.code]);
}
