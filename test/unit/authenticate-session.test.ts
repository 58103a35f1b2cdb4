// Real: how long what was found of a session holds. Fake: the database of sessions, and time.
import { createSessions } from '../../src/application/audit/monitor/authenticate-session.js';
import type { FoundSession, SessionClaims, SessionStore } from '../../src/application/audit/monitor/ports.js';
import { StoreUnavailableError } from '../../src/application/audit/ports.js';

const MINUTE = 60_000;
const START = Date.parse('2026-11-28T12:00:00Z');
const CLAIMS: SessionClaims = {
  id: '0197d3a0-5b10-4000-8000-00000000000a',
  kind: 'user',
  credentialId: '0197d3a0-5b10-7000-8000-00000000000b',
  version: String(START),
  issuedAt: START,
  endsAt: START + 60 * MINUTE,
};

function world() {
  const at = { ms: 0 };
  const state = { away: false, ended: false, disabled: false, asked: 0, written: [] as string[] };
  const orAway = () => {
    if (state.away) throw new StoreUnavailableError(new Error('away'));
  };
  const store: SessionStore = {
    async find(): Promise<FoundSession> {
      state.asked++;
      orAway();
      const now = new Date(START + at.ms);
      return {
        credential: {
          kind: 'user',
          id: CLAIMS.credentialId,
          name: 'alice',
          role: 'operator',
          changedAt: new Date(START),
          disabledAt: state.disabled ? now : null,
        },
        ended: state.ended,
        now,
      };
    },
    async end(id) {
      orAway();
      state.written.push(id);
    },
    async forgetEnded() {},
  };
  const sessions = createSessions({ store, noteUse: () => {}, log: { warn: () => {} }, clock: () => at.ms });
  return { at, state, sessions };
}

it('looks a session up once in five seconds for reading, and each time for a change', async () => {
  const { at, state, sessions } = world();
  await sessions.authenticate(CLAIMS, 'read');
  at.ms = 4_999;
  await sessions.authenticate(CLAIMS, 'read');
  expect(state.asked).toBe(1);
  state.disabled = true;
  expect(await sessions.authenticate(CLAIMS, 'read')).toMatchObject({ checked: true });
  expect(await sessions.authenticate(CLAIMS, 'change')).toBeNull();
  // What a change has found holds for reading, too.
  expect(await sessions.authenticate(CLAIMS, 'read')).toBeNull();
});

it('looks up once for requests that come together', async () => {
  const { state, sessions } = world();
  await Promise.all(Array.from({ length: 20 }, () => sessions.authenticate(CLAIMS, 'read')));
  expect(state.asked).toBe(1);
});

it('tells the time by the clock of the database', async () => {
  const { at, sessions } = world();
  await sessions.authenticate(CLAIMS, 'read');
  at.ms = 3_000;
  expect((await sessions.authenticate(CLAIMS, 'read'))?.now).toEqual(new Date(START + 3_000));
});

it('trusts for reading what it has found while the database is away, however long that is, and says so', async () => {
  const { at, state, sessions } = world();
  await sessions.authenticate(CLAIMS, 'read');
  state.away = true;
  for (const minutes of [1, 20, 59]) {
    at.ms = minutes * MINUTE;
    expect(await sessions.authenticate(CLAIMS, 'read')).toMatchObject({ checked: false, identity: { name: 'alice' } });
    await expect(sessions.authenticate(CLAIMS, 'change')).rejects.toThrow(StoreUnavailableError);
  }
  // What ended it meanwhile is heeded as soon as it can be known.
  state.away = false;
  state.disabled = true;
  at.ms += 5_000;
  expect(await sessions.authenticate(CLAIMS, 'read')).toBeNull();
});

it('trusts nothing that it has not found itself', async () => {
  const { state, sessions } = world();
  state.away = true;
  await expect(sessions.authenticate(CLAIMS, 'read')).rejects.toThrow(StoreUnavailableError);
});

it('asks a database that is away every other second, not for every request', async () => {
  const { at, state, sessions } = world();
  await sessions.authenticate(CLAIMS, 'read');
  state.away = true;
  at.ms = 10_000;
  for (let n = 0; n < 50; n++) await sessions.authenticate(CLAIMS, 'read');
  expect(state.asked).toBe(2);
  at.ms += 2_000;
  state.away = false;
  expect(await sessions.authenticate(CLAIMS, 'read')).toMatchObject({ checked: true });
});

it('ends a session at its time, also while the database does not answer', async () => {
  const { at, state, sessions } = world();
  at.ms = 59 * MINUTE;
  await sessions.authenticate(CLAIMS, 'read');
  state.away = true;
  at.ms = 60 * MINUTE - 1;
  expect(await sessions.authenticate(CLAIMS, 'read')).not.toBeNull();
  at.ms = 60 * MINUTE;
  expect(await sessions.authenticate(CLAIMS, 'read')).toBeNull();
});

it('takes no session of another password, and none that was signed out at another api', async () => {
  const { state, sessions } = world();
  expect(await sessions.authenticate({ ...CLAIMS, version: String(START - 1) }, 'read')).toBeNull();
  state.ended = true;
  expect(await sessions.authenticate(CLAIMS, 'read')).toBeNull();
});

it('knows at once who has signed out here, whether or not that could be written', async () => {
  const { state, sessions } = world();
  await sessions.authenticate(CLAIMS, 'read');
  const looking = sessions.authenticate(CLAIMS, 'change');
  expect(await sessions.end(CLAIMS)).toBe(true);
  expect(state.written).toEqual([CLAIMS.id]);
  // Nor does what was being looked up meanwhile bring it back.
  expect(await looking).toBeNull();
  expect(await sessions.authenticate(CLAIMS, 'read')).toBeNull();

  const other = { ...CLAIMS, id: '0197d3a0-5b10-4000-8000-00000000000c' };
  state.away = true;
  expect(await sessions.end(other)).toBe(false);
  state.away = false;
  expect(await sessions.authenticate(other, 'read')).toBeNull();
});
