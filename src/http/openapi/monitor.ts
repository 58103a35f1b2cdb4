import { SESSION_PATH, STREAM_PATH, sessionSchema, signedOutSchema, signInSchema } from '../../contract/monitor-api.js';
import { named, type Operation } from './operation.js';

const session = named('Session', sessionSchema);
const area = 'monitor';

/** Beside the files of the page, which stand below `/monitor`, too. */
export const monitorOperations: readonly Operation[] = [
  {
    id: 'getSession',
    method: 'get',
    path: SESSION_PATH,
    area,
    summary: 'Show who is signed in',
    session: true,
    answers: [{ status: 200, description: 'Who, what they may, and until when.', schema: session }],
  },
  {
    id: 'signIn',
    method: 'post',
    path: SESSION_PATH,
    area,
    summary: 'Sign in',
    description:
      "By an API key, by an operator's name and password, or by a link that works once. Takes the page's own `Origin` only. What " +
      'fails is counted for its address, and for its name (429 `rate_limited`); many at once wait, or are told to come again ' +
      '(503 `overloaded`). Where nobody signs in (`OUTBOX_MONITOR_SIGN_IN=off`) it is answered 404.',
    body: {
      'application/json': {
        schema: named('SignIn', signInSchema),
        examples: {
          key: { key: 'tob_k3v9x0ab_…' },
          password: { name: 'alice', password: 'correct horse battery staple' },
          link: { link: 'VGhlIGxpbmsgdGhhdCBvdXRib3ggZGV2IHByaW50cw' },
        },
      },
    },
    answers: [{ status: 200, description: 'As `getSession` says it.', schema: session, headers: ['Set-Cookie'] }],
    problems: [
      'unauthorized',
      'scope_missing',
      'foreign_origin',
      'not_found',
      'invalid_request',
      'rate_limited',
      'session_not_known',
      'overloaded',
    ],
  },
  {
    id: 'signOut',
    method: 'delete',
    path: SESSION_PATH,
    area,
    summary: 'Sign out',
    session: true,
    answers: [
      { status: 204, description: 'The session is over, at every api.', headers: ['Set-Cookie'] },
      {
        status: 200,
        description: 'It is over here, and the cookie is gone; other apis could not be told.',
        schema: named('SignedOut', signedOutSchema),
        headers: ['Set-Cookie'],
      },
    ],
  },
  {
    id: 'getStream',
    method: 'get',
    path: STREAM_PATH,
    area,
    summary: 'Follow the overview',
    description:
      'Server-sent events of one JSON object each: `snapshot` with all parts first, `part` when one has changed, `tick` every ' +
      'other second. Parts that the session may not see are left out. It ends with the session, with the server, and where its ' +
      'reader does not keep up; what the session may see is looked at again twice a minute.',
    session: true,
    answers: [{ status: 200, description: 'Without end.', mediaType: 'text/event-stream' }],
    problems: ['tenant_forbidden', 'rate_limited', 'overloaded'],
  },
];
