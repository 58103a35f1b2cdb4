/**
 * Every row of the error catalogue that a destination or a handler can cause, driven through the real workflow, activities,
 * dispatcher, handlers, HTTP client, PostgreSQL and Temporal, under a short policy. Fake: the destination, an HTTP server
 * that answers each event by its script, and one with a certificate that nobody has signed.
 */
import { readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { defineHandler } from '../../src/application/delivery/define-handler.js';
import { createDispatcher } from '../../src/application/delivery/dispatcher.js';
import { auditHandler } from '../../src/application/delivery/handlers/audit-handler.js';
import { httpHandler } from '../../src/application/delivery/handlers/http-handler.js';
import { maxAttemptsFor } from '../../src/domain/delivery/decide-after-failure.js';
import { catalogEntry, ERROR_CODES, type ErrorCode } from '../../src/domain/delivery/error-catalog.js';
import type { RetryPolicy } from '../../src/domain/delivery/policy.js';
import { simulateFailures } from '../../src/domain/delivery/simulate-failures.js';
import { createHttpClient } from '../../src/infrastructure/http/create-http-client.js';
import {
  createDeliveryLine,
  createDeliveryStore,
  type DeliveryLine,
  type DeliveryStore,
  PLACES,
  readHistory,
  silentLog,
} from '../support/delivery-line.js';
import { eventually } from '../support/eventually.js';
import { accept, type ScriptedDestination, startScriptedDestination } from '../support/scripted-destination.js';

const quick = { backoff: { kind: 'fixed', intervalMs: 7 } } as const;
/** Ends every code within a few seconds, each after a number of its own; delays grow, so that each is told apart. */
const SHORT: RetryPolicy = {
  maxAttempts: 6,
  deadlineMs: 86_400_000,
  backoff: { kind: 'equal-jitter', initialMs: 10, coefficient: 2, maximumMs: 100 },
  codes: {
    'HTTP.TLS': quick,
    'HTTP.UNAUTHORIZED': { ...quick, attempts: 2 },
    'HTTP.RATE_LIMITED': { attempts: 2 },
    'DISPATCH.HANDLER_NOT_FOUND': { ...quick, attempts: 3 },
  },
};

type Answer = (response: ServerResponse) => void;
const answers =
  (status: number, body = '', headers: Record<string, string> = {}): Answer =>
  (response) =>
    void response.writeHead(status, headers).end(body);
/** As the audit api says it, RFC 9457. */
const problem = (status: number, code: string) =>
  answers(status, JSON.stringify({ type: 'about:blank', title: 't', status, detail: 'd', code, retryable: false }));

interface Row {
  readonly to: 'http' | 'http-slow' | 'tls' | 'audit.log' | 'strict' | 'broken' | 'nobody';
  readonly answer?: Answer;
  readonly policy?: RetryPolicy;
  readonly retryAfterMs?: number;
  /** What the attempts fail with, where the letter has a code of its own. */
  readonly attempts?: ErrorCode;
  readonly status?: number;
  /** Of the letter. */
  readonly letter?: object;
}

const ROWS = {
  'HTTP.TIMEOUT': { to: 'http-slow', answer: () => {}, letter: { message: expect.stringContaining('headers') } },
  'HTTP.NETWORK': { to: 'http', answer: (response) => void response.socket?.destroy() },
  'HTTP.TLS': { to: 'tls', letter: { message: expect.stringContaining('DEPTH_ZERO_SELF_SIGNED_CERT') } },
  'HTTP.SERVER_ERROR': { to: 'http', answer: answers(500, 'boom', { server: 'crm' }), status: 500 },
  'HTTP.RATE_LIMITED': {
    to: 'http',
    answer: answers(429, 'slower', { 'retry-after': '0' }),
    retryAfterMs: 0,
    status: 429,
    letter: { response: { status: 429, body: 'slower', headers: expect.objectContaining({ 'retry-after': '0' }) } },
  },
  'HTTP.CLIENT_ERROR': {
    to: 'http',
    answer: answers(404, 'no such contact'),
    status: 404,
    letter: { response: { status: 404, body: 'no such contact', headers: expect.anything() } },
  },
  'HTTP.UNAUTHORIZED': { to: 'http', answer: answers(401), status: 401 },
  'HTTP.ID_CONFLICT': { to: 'audit.log', answer: problem(422, 'identity_conflict'), status: 422 },
  'HTTP.BAD_RESPONSE': { to: 'http', answer: answers(202, 'queued'), status: 202 },
  'DISPATCH.HANDLER_NOT_FOUND': { to: 'nobody' },
  'DISPATCH.INVALID_EVENT': { to: 'strict', letter: { field: '/payload/total' } },
  'HANDLER.FAILED': {
    to: 'broken',
    letter: {
      message: 'TypeError: no contact',
      stack: expect.stringContaining('TypeError: no contact'),
      causes: [
        { name: 'TypeError', message: 'no contact' },
        { name: 'RangeError', message: 'the cause' },
      ],
    },
  },
  'INGEST.INTERNAL': { to: 'audit.log', answer: problem(500, 'internal'), status: 500 },
  'DELIVERY.DEADLINE': {
    to: 'http',
    answer: answers(500),
    policy: { ...SHORT, deadlineMs: 0 },
    attempts: 'HTTP.SERVER_ERROR',
    status: 500,
  },
} as const satisfies Partial<Record<ErrorCode, Row>>;

/** What neither answer nor handler can cause, or what ends in no letter: the test that shows it. */
const ELSEWHERE: Partial<Record<ErrorCode, readonly [file: string, test: string]>> = {
  'DESTINATION.OPEN': ['integration/destination-waits', 'R12: while the breaker is open nothing begins'],
  'DESTINATION.BUSY': ['workflows/catalogue', 'DESTINATION.BUSY: waits for a place'],
  'DISPATCH.EVENT_NOT_FOUND': ['workflows/deliver-event', 'R19: an event that is not there fails the run'],
  'STORE.UNAVAILABLE': ['workflows/deliver-event', 'R15: a receipt that cannot be settled locally travels on'],
  'DELIVERY.ATTEMPT_LOST': ['workflows/killed-worker', 'R11: killed in a regular attempt'],
  'DELIVERY.CANCELLED': ['workflows/deliver-event', 'R12: a shutdown during a regular attempt is DELIVERY.CANCELLED'],
  'DELIVERY.CRASH_LOOP': ['workflows/deliver-event', 'R11, R12: three attempts lost in a row are a crash loop'],
  'WORKFLOW.TERMINATED': [
    'workflows/deliver-event',
    'a cancelled run that waits for its next attempt ends in a letter',
  ],
  'WORKFLOW.LOST': ['workflows/reconciler', 'R22: closed without a word in the row: dispatched again'],
  'WORKFLOW.STUCK': ['workflows/deliver-event', 'what the workflow does not expect ends in a letter'],
};

let store: DeliveryStore;
let line: DeliveryLine;
let destination: ScriptedDestination;
const http = createHttpClient();
const scripts = new Map<string, Answer>();
/** The event of each row: all of them run at once. */
const ids = new Map<ErrorCode, string>();
const untrusted = createHttpsServer({ key: fixture('key'), cert: fixture('cert') });

beforeAll(async () => {
  store = await createDeliveryStore();
  destination = await startScriptedDestination();
  destination.answer((request, response) => (scripts.get(request.key) ?? (() => accept(request, response)))(response));
  await new Promise<void>((resolve) => untrusted.listen(0, '127.0.0.1', resolve));
  const { url } = destination;
  const tlsUrl = `https://127.0.0.1:${(untrusted.address() as AddressInfo).port}/`;
  const handlers = [
    httpHandler({ routingKey: 'http', url }),
    httpHandler({ routingKey: 'http-slow', url, timeoutMs: 600 }),
    httpHandler({ routingKey: 'tls', url: tlsUrl }),
    auditHandler({ baseUrl: url, apiKey: 'k' }),
    defineHandler({
      routingKey: 'strict',
      schema: {
        parse: () => {
          throw Object.assign(new Error('bad'), { issues: [{ path: ['total'], message: 'expected text' }] });
        },
      },
      deliver: async () => ({ id: 'never' }),
    }),
    defineHandler({
      routingKey: 'broken',
      deliver: async () => {
        throw new TypeError('no contact', { cause: new RangeError('the cause') });
      },
    }),
  ];
  const dispatcher = createDispatcher({ handlers, http, log: silentLog, places: PLACES });
  line = await createDeliveryLine({ store, dispatcher });
  for (const [code, row] of Object.entries(ROWS)) await begin(code as ErrorCode, row);
});
afterAll(async () => {
  await line.stop();
  await http.close();
  await destination.close();
  await new Promise((resolve) => untrusted.close(resolve));
  await store.close();
});

async function begin(code: ErrorCode, row: Row): Promise<void> {
  const policyHash = `short-${code}`;
  const policy = row.policy ?? SHORT;
  await store.pool.query('INSERT INTO outbox.policy (hash, body) VALUES ($1, $2)', [policyHash, policy]);
  const id = await store.append({ routingKey: row.to, policyHash });
  ids.set(code, id);
  if (row.answer !== undefined) scripts.set(id, row.answer);
  await line.start(id, { policy, policyHash, destination: row.to });
}

it.each(Object.keys(ROWS) as (keyof typeof ROWS)[])(
  '%s: attempts, delays, letter and run as the policy says',
  async (code) => {
    const row: Row = ROWS[code];
    const { policy = SHORT, attempts: attemptCode = code, status = null, retryAfterMs = null } = row;
    const policyHash = `short-${code}`;
    const id = ids.get(code) as string;
    const failure = await failureOf(id);

    // The timeline that `outbox policies --simulate` prints, by the same random as the line's.
    const simulated = simulateFailures({ policy, code: attemptCode, random: () => 0.5, retryAfterMs, attemptMs: 1 });
    expect(simulated.finalCode).toBe(code);
    const rows = await store.pool.query(
      `SELECT n, local, code, status, delay_ms::int AS delay, finished_at IS NOT NULL AS finished
     FROM outbox.delivery_attempt WHERE event_id = $1 ORDER BY n`,
      [id],
    );
    expect(rows.rows).toEqual(
      simulated.attempts.map(({ attempt, delayMs }) => ({
        n: attempt,
        local: attempt === 1,
        code: attemptCode,
        status,
        delay: delayMs,
        finished: true,
      })),
    );
    const [first] = simulated.attempts;
    const slept = first?.delayMs == null ? [] : [`timer ${first.delayMs}`, 'scheduled dispatchEvent'];
    expect(await readHistory(line.run(id))).toEqual(['marker', ...slept, 'scheduled recordDeadLetter']);

    const entry = catalogEntry(code);
    expect(failure).toMatchObject({ type: code, nonRetryable: true, message: entry.message });
    expect(failure.details).toEqual([{ code, status, attempt: simulated.attempts.length }]);

    expect(await store.delivery(id)).toMatchObject({ status: 'DEAD', epoch: 0 });
    const [letter, ...more] = await store.letters(id);
    expect(more).toEqual([]);
    const { workflowId } = line.run(id);
    expect(letter).toMatchObject({
      code,
      epoch: 0,
      state: 'open',
      destination: row.to,
      event_type: 'ORDER',
      tenant: 'acme',
      retry_count: simulated.attempts.length,
      max_retries: maxAttemptsFor(code, policy),
      effect: catalogEntry(attemptCode).effect === 'unknown' || entry.effect === 'unknown' ? 'unknown' : 'none',
      workflow_id: workflowId,
      run_id: (await line.run(id).describe()).runId,
      traceparent: expect.stringMatching(/^00-/),
      policy_hash: policyHash,
      stack: expect.stringContaining('Error'),
      response: status === null ? null : expect.objectContaining({ status }),
      field: null,
      ...row.letter,
    });
    expect(letter?.first_failed_at.getTime()).toBeLessThanOrEqual(letter?.last_failed_at.getTime());
    expect(await store.notifications(id)).toMatchObject([{ code, kind: 'dead_letter' }]);
  },
);

it('DESTINATION.BUSY: waits for a place, spends nothing, and is delivered', async () => {
  const held = Promise.withResolvers<void>();
  const deliver = async (event: { id: string }) => {
    await held.promise;
    return { id: `r-${event.id}` };
  };
  const handlers = [defineHandler({ routingKey: 'narrow', deliver })];
  const dispatcher = createDispatcher({ handlers, http, log: silentLog, places: { local: 1, regular: 1 } });
  const own = await createDeliveryLine({ store, dispatcher });
  const [holder, late] = [await store.append({ routingKey: 'narrow' }), await store.append({ routingKey: 'narrow' })];
  await own.start(holder, { destination: 'narrow', firstAttempt: 'regular' });
  await eventually('the place to be taken', async () => (await store.attemptRows(holder)).length === 1);
  await own.start(late, { destination: 'narrow', firstAttempt: 'regular' });
  const code = await eventually('the second one to be sent away', async () => {
    const { raw } = await own.run(late).describe();
    return raw.pendingActivities?.[0]?.lastFailure?.applicationFailureInfo?.type;
  });
  expect(code).toBe('DESTINATION.BUSY');
  held.resolve();
  await own.run(late).result();
  await own.run(holder).result();
  expect(await store.attemptRows(late)).toEqual([{ n: 1, local: false, code: null, finished: true }]);
  await own.stop();
});

describe('the catalogue', () => {
  it('has no row that is in neither list, or in both', () => {
    expect([...Object.keys(ROWS), ...Object.keys(ELSEWHERE)].sort()).toEqual([...ERROR_CODES].sort());
  });

  it.each(Object.entries(ELSEWHERE))('%s is shown by the test that is named for it', (_, where) => {
    const [file, name] = where;
    const text = readFileSync(new URL(`../${file}.test.ts`, import.meta.url), 'utf8');
    expect(text).toMatch(
      new RegExp(`\\bit(\\.each\\(.*\\))?\\(\\s*['"]${name.replaceAll(/[.*+?^${}()|[\\]\\\\]/g, '\\$&')}`),
    );
  });
});

async function failureOf(id: string): Promise<ApplicationFailure> {
  const error: unknown = await line
    .run(id)
    .result()
    .then(
      (result) => new Error(`expected a failed run, got ${JSON.stringify(result)}`),
      (failure) => failure,
    );
  if (!(error instanceof WorkflowFailedError) || !(error.cause instanceof ApplicationFailure)) throw error;
  return error.cause;
}

/** Signed by itself, for localhost, until 2126; protects nothing. */
function fixture(kind: 'key' | 'cert'): Buffer {
  return readFileSync(new URL(`../fixtures/self-signed.${kind}.pem`, import.meta.url));
}
