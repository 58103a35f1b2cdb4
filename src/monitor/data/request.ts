import type { Problem } from '../../contract/audit-api.js';
import { CSRF_HEADER, SESSION_CHECKED_HEADER } from './paths.js';
import { endSession, noteChecked, SESSION_ENDED, sessionStore } from './session-store.js';

/** Why a request has no answer, as the api says it, or as it looked from here. */
export class RequestError extends Error {
  override readonly name = 'RequestError';
  /** One of the api's problems; `unreachable`, `late` or `unreadable` where it gave none. */
  readonly code: string;
  /** 0: there was no answer. */
  readonly status: number;
  readonly retryable: boolean;
  readonly requestId: string | null;
  readonly errors: readonly { readonly pointer: string; readonly detail: string }[];

  constructor(detail: string, told: Partial<Omit<Problem, 'detail'>> & Pick<Problem, 'code' | 'status'>) {
    super(detail);
    this.code = told.code;
    this.status = told.status;
    this.retryable = told.retryable ?? false;
    this.requestId = told.requestId ?? null;
    this.errors = told.errors ?? [];
  }
}

/** No request of the page may take longer: what is asked for is bounded on the server, too. */
const WITHIN_MS = 15_000;
/** But one that counts letters first: with a text in the filter each is looked at, for which the server has 25 seconds. */
export const COUNTS_WITHIN_MS = 35_000;

interface Sent {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  /** JSON text. */
  readonly body?: string;
  /** Of whoever no longer wants to know. */
  readonly signal?: AbortSignal;
  /** A 401 is the answer then, not the end of the session. */
  readonly signingIn?: boolean;
  /** Default: WITHIN_MS. */
  readonly withinMs?: number;
}

/** Throws RequestError, and what `signal` was aborted with. */
export async function getJson<Answer>(path: string, signal: AbortSignal): Promise<Answer> {
  return parse<Answer>(await send({ method: 'GET', path, signal }));
}

/** The text of the answer as it is: no number of it has been rounded. Throws as `getJson`. */
export async function getText(path: string, signal: AbortSignal): Promise<string> {
  return (await send({ method: 'GET', path, signal })).text;
}

/** Changes something, unless its body says otherwise; never sent twice by itself. Throws as `getJson`. */
export async function postJson<Answer>(
  path: string,
  body: unknown,
  more: Pick<Sent, 'withinMs' | 'signal'> = {},
): Promise<Answer> {
  return parse<Answer>(await send({ method: 'POST', path, body: JSON.stringify(body), ...more }));
}

/** As `postJson`, of JSON that is text already. */
export async function postText<Answer>(path: string, body: string): Promise<Answer> {
  return parse<Answer>(await send({ method: 'POST', path, body }));
}

/** Throws RequestError. */
export async function sendSession<Answer>(sent: Pick<Sent, 'method' | 'path' | 'body'>): Promise<Answer> {
  return parse<Answer>(await send({ ...sent, signingIn: true }));
}

interface Got {
  readonly status: number;
  readonly text: string;
}

async function send(sent: Sent): Promise<Got> {
  const { response, text } = await exchange(sent);
  if (response.ok) {
    noteChecked(response.headers.get(SESSION_CHECKED_HEADER) !== 'no');
    return { status: response.status, text };
  }
  const error = problemOf(response, text);
  if (response.status === 401 && sent.signingIn !== true) endSession(SESSION_ENDED);
  throw error;
}

async function exchange(sent: Sent): Promise<{ response: Response; text: string }> {
  const { method, path, body, signal, withinMs = WITHIN_MS } = sent;
  const deadline = AbortSignal.timeout(withinMs);
  const headers = new Headers({ Accept: 'application/json' });
  if (body !== undefined) headers.set('Content-Type', 'application/json');
  const state = sessionStore.get();
  if (method !== 'GET' && state.kind === 'in') headers.set(CSRF_HEADER, state.session.csrf);
  try {
    const response = await fetch(path, {
      method,
      headers,
      body: body ?? null,
      cache: 'no-store',
      credentials: 'same-origin',
      redirect: 'error',
      signal: signal === undefined ? deadline : AbortSignal.any([signal, deadline]),
    });
    return { response, text: await response.text() };
  } catch (error) {
    // Whoever asked has gone: that is no failure of the api.
    if (signal?.aborted === true) throw error;
    throw deadline.aborted
      ? new RequestError(`The api did not answer within ${withinMs / 1_000} seconds`, {
          code: 'late',
          status: 0,
          retryable: true,
        })
      : new RequestError('The api cannot be reached', { code: 'unreachable', status: 0, retryable: true });
  }
}

function parse<Answer>({ status, text }: Got): Answer {
  if (status === 204 || text === '') return null as Answer;
  try {
    return JSON.parse(text) as Answer;
  } catch {
    // Something between has answered in the api's place.
    throw new RequestError('The answer was none of the api: expected JSON', { code: 'unreadable', status });
  }
}

function problemOf(response: Response, text: string): RequestError {
  const { status } = response;
  try {
    const problem = JSON.parse(text) as Partial<Problem> | null;
    if (typeof problem?.detail === 'string' && typeof problem.code === 'string') {
      return new RequestError(problem.detail, { ...problem, code: problem.code, status });
    }
  } catch {
    // Told below: what answered is not the api.
  }
  const code = 'unreadable';
  // A limit of the proxy's: no outage.
  if (status === 429) {
    return new RequestError('Too many requests come from here: wait a minute', { code, status, retryable: true });
  }
  return new RequestError(`The answer was none of the api: ${status}`, { code, status, retryable: status >= 500 });
}
