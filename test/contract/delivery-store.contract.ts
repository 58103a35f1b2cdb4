/**
 * What AttemptStore and DeadLetterStore keep, whatever is behind them: attempts (R11, R12), what a run may load (R15),
 * settling (R16), letters (R17), what of it may stand (R18) and redrive (R2). An adapter brings an event that the relay has marked, and a look at what
 * became of it.
 */
import { randomUUID } from 'node:crypto';
import type {
  AttemptFailure,
  AttemptStore,
  DeadLetterStore,
  EffectStore,
  RunRef,
} from '../../src/application/delivery/ports.js';
import type { Receipt } from '../../src/domain/delivery/receipt.js';

export interface DeliveryStoreSubject {
  readonly attempts: AttemptStore;
  readonly deadLetters: DeadLetterStore;
  readonly effects: Pick<EffectStore, 'loadDoubtful'>;
  /** R2: the event's latest letter; true where it was open. */
  redrive(eventId: string): Promise<boolean>;
  /** An event whose delivery is STARTED, payload `{"total":1}`, with a policy of 4 attempts. */
  append(): Promise<string>;
  look(eventId: string): Promise<{
    readonly status: string;
    readonly epoch: number;
    readonly receiptId: string | null;
    /** Of all epochs, in their order. */
    readonly attempts: readonly { n: number; local: boolean; code: string | null; finished: boolean }[];
    readonly letters: readonly {
      readonly epoch: number;
      readonly state: string;
      readonly code: string;
      readonly message: string;
      readonly field: string | null;
      readonly response: unknown;
      readonly retryCount: number;
      readonly maxRetries: number;
    }[];
  }>;
  close(): Promise<void>;
}

const T = 5_000;
const RECEIPT: Receipt = { id: 'rec-1', hash: 'h', status: 201, at: '2026-01-01T00:00:00.000Z', replayed: false };
const FAILURE: AttemptFailure = {
  code: 'HTTP.SERVER_ERROR',
  status: 500,
  message: 'it broke',
  stack: 'at x',
  causes: [{ name: 'Error', message: 'inner' }],
  response: { status: 500, headers: { 'content-type': 'text/plain' }, body: 'oops' },
  field: '/payload/x',
};
const LOST = { local: false, code: 'DELIVERY.ATTEMPT_LOST', finished: true };

export function deliveryStoreContract(name: string, createSubject: () => Promise<DeliveryStoreSubject>): void {
  describe(`AttemptStore and DeadLetterStore contract: ${name}`, () => {
    let subject: DeliveryStoreSubject;
    beforeAll(async () => {
      subject = await createSubject();
    });
    afterAll(() => subject.close());

    const runOf = (eventId: string, epoch = 0, carrier: string | null = null): RunRef => ({ eventId, epoch, carrier });
    const refOf = (n: number, worker: string) => ({ n, runId: 'r', worker });
    const remove = (run: RunRef, n: number, worker: string, more: { runId?: string; doubtful?: boolean } = {}) =>
      subject.attempts.removeAttempt(run, { ...refOf(n, worker), doubtful: false, ...more }, 1_000, T);
    const isDoubtful = async (run: RunRef) => (await subject.effects.loadDoubtful(run, 'open', T))?.doubtful;
    type Begin = Parameters<AttemptStore['beginAttempt']>[1];
    const begin = (run: RunRef, worker: string, more: Partial<Begin> = {}) =>
      subject.attempts.beginAttempt(run, { previous: null, unwritten: [], runId: 'r', worker, ...more }, T);
    const failAs = (run: RunRef, n: number, worker: string, failure: AttemptFailure = FAILURE, local = false) =>
      subject.attempts.failAttempt(run, { n, local, runId: 'r', worker }, failure, 1_000, T);
    const die = (run: RunRef, attempt: { n: number; local: boolean; status: number | null } | null = null) =>
      subject.deadLetters.recordDeadLetter(
        { run, code: 'HTTP.CLIENT_ERROR', message: 'refused', attempt, workflowId: 'wf', runId: 'r' },
        T,
      );

    it('R15: loads the event, and writes nothing', async () => {
      const id = await subject.append();
      const loaded = await subject.attempts.loadEvent(runOf(id), T);
      expect(loaded).toMatchObject({ kind: 'found', event: { id, payload: { total: 1 } }, policy: { maxAttempts: 4 } });
      expect((await subject.look(id)).attempts).toEqual([]);
    });

    it('R15: another epoch or carrier is superseded, an unknown event not found; neither begins an attempt', async () => {
      const id = await subject.append();
      for (const run of [runOf(id, 1), runOf(id, 0, 'a batch')]) {
        expect(await begin(run, 'w#1')).toEqual({ kind: 'superseded' });
        expect(await subject.attempts.loadEvent(run, T)).toEqual({ kind: 'superseded' });
      }
      expect(await begin(runOf(randomUUID()), 'w#1')).toEqual({ kind: 'not-found' });
      expect((await subject.look(id)).attempts).toEqual([]);
    });

    it('R11: one row for each attempt, closed by its failure, counted by the next', async () => {
      const id = await subject.append();
      expect(await begin(runOf(id), 'w#1')).toMatchObject({ kind: 'begun', n: 1, totals: { spent: 0, lostInRow: 0 } });
      await failAs(runOf(id), 1, 'w#1');
      const totals = { spent: 1, spentByCode: { 'HTTP.SERVER_ERROR': 1 }, lostInRow: 0 };
      expect(await begin(runOf(id), 'w#2')).toMatchObject({ n: 2, totals });
      expect((await subject.look(id)).attempts).toEqual([
        { n: 1, local: false, code: 'HTTP.SERVER_ERROR', finished: true },
        { n: 2, local: false, code: null, finished: false },
      ]);
    });

    it('R11, R12: unfinished attempts are lost ones, which spend nothing; a late failure changes none of them', async () => {
      const id = await subject.append();
      for (const lostInRow of [0, 1, 2]) {
        const lost = Math.min(lostInRow, 1);
        expect(await begin(runOf(id), `w#${lostInRow}`)).toMatchObject({ lost, totals: { lostInRow, spent: 0 } });
      }
      await failAs(runOf(id), 1, 'w#0');
      expect((await subject.look(id)).attempts.slice(0, 2)).toEqual([
        { n: 1, ...LOST },
        { n: 2, ...LOST },
      ]);
    });

    it('R11: an end that travelled on is what it was; one that spent nothing leaves no row', async () => {
      const id = await subject.append();
      await begin(runOf(id), 'w#1');
      const timeout = { worker: 'w#1', code: 'HTTP.TIMEOUT', status: null } as const;
      expect(await begin(runOf(id), 'w#2', { unwritten: [timeout] })).toMatchObject({ n: 2, totals: { spent: 1 } });
      const nothing = { worker: 'w#2', code: null, status: null };
      expect(await begin(runOf(id), 'w#3', { unwritten: [nothing] })).toMatchObject({
        lost: 0,
        totals: { spent: 1, lostInRow: 0 },
      });
      expect((await subject.look(id)).attempts.map(({ code }) => code)).toEqual(['HTTP.TIMEOUT', null]);
      const previous = { n: 1, code: 'DELIVERY.ATTEMPT_LOST', status: null } as const;
      const local = await subject.append();
      expect(await begin(runOf(local), 'w#2', { previous })).toMatchObject({ lost: 1 });
    });

    it('R11: the local attempt before it is inserted where it is missing, and only there', async () => {
      const previous = { n: 1, code: 'HTTP.TIMEOUT', status: null } as const;
      const [missing, written] = [await subject.append(), await subject.append()];
      await failAs(runOf(written), 1, 'w#1', FAILURE, true);
      await failAs(runOf(written), 1, 'w#1', { ...FAILURE, code: 'HTTP.NETWORK' }, true);
      for (const [id, code] of [
        [missing, 'HTTP.TIMEOUT'],
        [written, 'HTTP.SERVER_ERROR'],
      ] as const) {
        expect(await begin(runOf(id), 'w#2', { previous })).toMatchObject({ n: 2, totals: { spent: 1 } });
        expect((await subject.look(id)).attempts[0]).toEqual({ n: 1, local: true, code, finished: true });
      }
    });

    it('R12: an attempt that spent nothing is removed; one that is finished stays', async () => {
      const id = await subject.append();
      await begin(runOf(id), 'w#1');
      await failAs(runOf(id), 1, 'w#1');
      await begin(runOf(id), 'w#2');
      await remove(runOf(id), 1, 'w#1');
      await remove(runOf(id), 2, 'w#2');
      expect((await subject.look(id)).attempts.map(({ n }) => n)).toEqual([1]);
    });

    it('R12, R18: an attempt that leaves no row leaves its doubt, also where only the next one removes it', async () => {
      const [sent, unsent, local, late] = [
        await subject.append(),
        await subject.append(),
        await subject.append(),
        await subject.append(),
      ];
      for (const id of [sent, unsent, late]) await begin(runOf(id), 'w#1');
      await remove(runOf(sent), 1, 'w#1', { doubtful: true });
      await remove(runOf(unsent), 1, 'w#1');
      await remove(runOf(local), 1, 'w#1', { doubtful: true });
      const unwritten = [{ worker: 'w#1', code: null, status: null, doubtful: true } as const];
      await begin(runOf(late), 'w#2', { unwritten });
      await remove(runOf(late), 2, 'w#2');
      for (const id of [sent, unsent, local, late]) expect((await subject.look(id)).attempts).toEqual([]);
      for (const id of [sent, local, late]) expect(await isDoubtful(runOf(id))).toBe(true);
      expect(await isDoubtful(runOf(unsent))).toBe(false);
    });

    it('R2, R18: the doubt about an earlier epoch is kept by a redrive', async () => {
      const [doubted, known] = [await subject.append(), await subject.append()];
      for (const id of [doubted, known]) {
        await begin(runOf(id), 'w#1');
        await remove(runOf(id), 1, 'w#1', { doubtful: id === doubted });
        await die(runOf(id));
        await subject.redrive(id);
      }
      expect(await isDoubtful(runOf(doubted, 1))).toBe(true);
      expect(await isDoubtful(runOf(known, 1))).toBe(false);
    });

    it('R11, R12: an attempt ends its own row only: that of another run or try stays as it is', async () => {
      const id = await subject.append();
      await begin(runOf(id), 'w#2');
      await failAs(runOf(id), 1, 'w#1');
      await remove(runOf(id), 1, 'w#1');
      await remove(runOf(id), 1, 'w#2', { runId: 'another' });
      await subject.attempts.settle(runOf(id, 1), RECEIPT, refOf(1, 'w#2'), T);
      expect((await subject.look(id)).attempts).toEqual([{ n: 1, local: false, code: null, finished: false }]);
    });

    it('R11: a run that may not send any more closes what it left', async () => {
      const id = await subject.append();
      await begin(runOf(id), 'w#1');
      await subject.attempts.settle(runOf(id), RECEIPT, null, T);
      await begin(runOf(id), 'w#2', { runId: 'another' });
      expect((await subject.look(id)).attempts).toEqual([{ n: 1, local: false, code: null, finished: false }]);
      await begin(runOf(id), 'w#2');
      expect((await subject.look(id)).attempts).toEqual([{ n: 1, ...LOST }]);
    });

    it('R16: once a receipt settles, the unfinished attempts before its own are lost ones, later ones under way', async () => {
      const id = await subject.append();
      for (const worker of ['w#1', 'w#2', 'w#3']) await begin(runOf(id), worker);
      expect((await subject.look(id)).attempts.map(({ code }) => code)).toEqual([LOST.code, LOST.code, null]);
      const other = await subject.append();
      await begin(runOf(other), 'w#1');
      await subject.attempts.settle(runOf(other), RECEIPT, refOf(2, 'w#2'), T);
      expect((await subject.look(other)).attempts).toEqual([{ n: 1, ...LOST }]);
      const paused = await subject.append();
      await begin(runOf(paused), 'w#1');
      await subject.attempts.settle(runOf(paused), RECEIPT, refOf(0, 'w#0'), T);
      expect((await subject.look(paused)).attempts).toEqual([{ n: 1, local: false, code: null, finished: false }]);
    });

    it('R16: a receipt settles and closes its attempt; again is "already", another epoch "superseded"', async () => {
      const id = await subject.append();
      await begin(runOf(id), 'w#1');
      expect(await subject.attempts.settle(runOf(id, 1), RECEIPT, null, T)).toBe('superseded');
      expect(await subject.attempts.settle(runOf(id), RECEIPT, refOf(1, 'w#1'), T)).toBe('settled');
      expect(await subject.attempts.settle(runOf(id), { ...RECEIPT, id: 'other' }, null, T)).toBe('already');
      expect(await subject.look(id)).toMatchObject({
        status: 'DELIVERED',
        receiptId: 'rec-1',
        attempts: [{ n: 1, code: null, finished: true }],
      });
      expect(await begin(runOf(id), 'w#2')).toEqual({ kind: 'delivered', receipt: RECEIPT });
    });

    it('R17: a letter tells of the last attempt, counts those that spent, and is written once', async () => {
      const id = await subject.append();
      for (const worker of ['w#1', 'w#2']) {
        const begun = await begin(runOf(id), worker);
        const code = worker === 'w#1' ? 'HTTP.SERVER_ERROR' : 'HTTP.CLIENT_ERROR';
        await failAs(runOf(id), begun.kind === 'begun' ? begun.n : 0, worker, { ...FAILURE, code });
      }
      const recorded = await die(runOf(id), { n: 2, local: false, status: 500 });
      expect(recorded.kind).toBe('recorded');
      expect(await die(runOf(id))).toMatchObject({ kind: 'already', id: (recorded as { id: string }).id });
      expect(await subject.look(id)).toMatchObject({
        status: 'DEAD',
        letters: [
          {
            epoch: 0,
            state: 'open',
            code: 'HTTP.CLIENT_ERROR',
            message: 'it broke',
            field: '/payload/x',
            retryCount: 2,
            maxRetries: 1,
          },
        ],
      });
    });

    it('R17: a letter keeps the last response, though the attempts after it had none', async () => {
      const id = await subject.append();
      for (const [i, response] of [FAILURE.response, null].entries()) {
        const begun = await begin(runOf(id), `w#${i}`);
        await failAs(runOf(id), begun.kind === 'begun' ? begun.n : 0, `w#${i}`, { ...FAILURE, response });
      }
      await die(runOf(id), { n: 2, local: false, status: null });
      expect((await subject.look(id)).letters).toMatchObject([{ response: FAILURE.response }]);
    });

    it('R17: the attempt that ended it is closed by the letter where its own end was not written', async () => {
      const [regular, local] = [await subject.append(), await subject.append()];
      await begin(runOf(regular), 'w#1');
      await die(runOf(regular), { n: 1, local: false, status: 400 });
      await die(runOf(local), { n: 1, local: true, status: 400 });
      for (const [id, isLocal] of [
        [regular, false],
        [local, true],
      ] as const) {
        const { attempts, letters } = await subject.look(id);
        expect(attempts).toEqual([{ n: 1, local: isLocal, code: 'HTTP.CLIENT_ERROR', finished: true }]);
        expect(letters).toMatchObject([{ message: 'refused', retryCount: 1 }]);
      }
    });

    it('R17: attempts left unfinished are lost with the letter, and do not count in it', async () => {
      const id = await subject.append();
      await begin(runOf(id), 'w#1');
      await die(runOf(id));
      const { attempts, letters } = await subject.look(id);
      expect(attempts).toEqual([{ n: 1, ...LOST }]);
      expect(letters).toMatchObject([{ message: 'refused', retryCount: 0 }]);
    });

    it('R17: what is settled, or of another epoch or carrier, gets no letter', async () => {
      const id = await subject.append();
      expect(await die(runOf(id, 1))).toEqual({ kind: 'superseded' });
      expect(await die(runOf(id, 0, 'a batch'))).toEqual({ kind: 'superseded' });
      await subject.attempts.settle(runOf(id), RECEIPT, null, T);
      expect(await die(runOf(id))).toEqual({ kind: 'superseded' });
      expect((await subject.look(id)).letters).toEqual([]);
    });

    it('R16: a receipt that comes after the letter delivers, and resolves it', async () => {
      const id = await subject.append();
      await die(runOf(id));
      expect(await begin(runOf(id), 'w#1')).toEqual({ kind: 'superseded' });
      expect(await subject.attempts.settle(runOf(id), RECEIPT, null, T)).toBe('settled');
      expect(await subject.look(id)).toMatchObject({ status: 'DELIVERED', letters: [{ state: 'resolved' }] });
    });

    it('R2: a redrive starts the next epoch with its own count; only a dead event has one', async () => {
      const id = await subject.append();
      expect(await subject.redrive(id)).toBe(false);
      expect(await subject.redrive(randomUUID())).toBe(false);
      await begin(runOf(id), 'w#1');
      await failAs(runOf(id), 1, 'w#1');
      await die(runOf(id), { n: 1, local: false, status: 500 });
      expect(await subject.redrive(id)).toBe(true);
      expect(await subject.redrive(id)).toBe(false);
      expect(await subject.look(id)).toMatchObject({ status: 'PENDING', epoch: 1, letters: [{ state: 'redriven' }] });
      expect(await begin(runOf(id), 'w#2')).toEqual({ kind: 'superseded' });
      expect(await begin(runOf(id, 1), 'w#3')).toMatchObject({ n: 1, totals: { spent: 0 } });
      await die(runOf(id, 1));
      expect((await subject.look(id)).letters.map(({ epoch, state }) => [epoch, state])).toEqual([
        [0, 'redriven'],
        [1, 'open'],
      ]);
      expect(await subject.redrive(id)).toBe(true);
      expect(await subject.look(id)).toMatchObject({ status: 'PENDING', epoch: 2 });
    });
  });
}
