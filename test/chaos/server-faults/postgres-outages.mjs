// F7, F9, F10: the outbox's and the audit log's PostgreSQL restarts, is away, has no more connections.
import pg from 'pg';
import { defineFault } from '../../../dist/src/main/chaos/faults/define-fault.js';
import { pause } from '../../../dist/src/main/chaos/within.js';
import { appendOwn, undelivered } from './append-own.mjs';
import { askApi, isAway, notLive } from './ask-api.mjs';
import { noteProcesses, notReady } from './same-processes.mjs';
import { stoodStill } from './stood-still.mjs';

const RESTARTS = { short: 1, long: 5 };

export const immediateRestarts = defineFault({
  id: 'F7',
  title: 'PostgreSQL restarts immediately, five times (once in a short run)',
  needs: 'servers',
  weight: 1,
  short: [8, 12],
  long: [40, 90],
  heal: ({ servers }) => servers.postgres.start(),
  async inflict(world, { short, durationMs, random, signal, problems, heal, patience }) {
    const { postgres } = world.servers;
    const changed = noteProcesses(world);
    const ids = [];
    let happened = 0;
    const restarts = short ? RESTARTS.short : RESTARTS.long;
    for (let i = 0; i < restarts && !signal.aborted; i += 1) {
      const before = postgres.pid;
      ids.push(...(await appendOwn(world, 10)));
      await postgres.restartImmediately();
      if (postgres.pid !== before) happened += 1;
      // After the last one it is the run that looks.
      if (i === restarts - 1) await heal();
      else problems.push(...(await stoodStill(world, { signal, patience })));
      await pause((durationMs / restarts) * (0.5 + random()), signal);
    }
    await heal();
    problems.push(...(await notReady(world)), ...changed(), ...(await undelivered(world, ids, signal)));
    return {
      happened,
      what: `PostgreSQL was restarted without a shutdown ${happened} times under ${ids.length} events of its own`,
    };
  },
});

export const postgresAway = defineFault({
  id: 'F9',
  title: 'PostgreSQL is away',
  needs: 'servers',
  weight: 1,
  short: [12, 14.5],
  long: [120, 120],
  async heal({ servers }) {
    await servers.postgres.start();
  },
  async inflict(world, { durationMs, signal, problems, heal }) {
    const changed = noteProcesses(world);
    const ids = await appendOwn(world, 20);
    await world.servers.postgres.stop();
    const end = performance.now() + durationMs;
    const answers = [];
    while (performance.now() < end && !signal.aborted) {
      answers.push(await askApi(world));
      await pause(500, signal);
    }
    const dead = signal.aborted ? [] : await notLive(world);
    const refused = await appendOwn(world, 1, { once: true }).then(
      () => null,
      (error) => error.code ?? error.message,
    );
    await heal();
    const away = answers.filter(isAway);
    problems.push(...onlyAway(answers, 'while PostgreSQL was away'));
    if (dead.length > 0) problems.push(`not alive while PostgreSQL was away: ${dead.join(', ')}`);
    if (refused === null) problems.push('an append was to fail while PostgreSQL was away, and did not');
    ids.push(...(await appendOwn(world, 20)));
    problems.push(...(await notReady(world)), ...changed(), ...(await undelivered(world, ids, signal)));
    return {
      happened: away.length,
      what: `away for ${Math.round(durationMs / 1_000)} s: ${away.length} of ${answers.length} requests to the api were answered 503 with Retry-After; an append failed with ${refused}`,
    };
  },
});

export const connectionsExhausted = defineFault({
  id: 'F10',
  title: 'PostgreSQL has no more connections',
  needs: 'servers',
  weight: 1,
  short: [8, 12],
  long: [30, 60],
  heal: (world) => limitConnections(world, -1),
  async inflict(world, { durationMs, signal, problems, heal }) {
    const changed = noteProcesses(world);
    const ids = await appendOwn(world, 20);
    await limitConnections(world, 0);
    // What the roles have open they would go on with: now each has to come anew.
    const ended = await endSessions(world);
    const end = performance.now() + durationMs;
    const answers = [];
    const codes = new Map();
    while (performance.now() < end && !signal.aborted) {
      answers.push(await askApi(world));
      const code = await appendOwn(world, 1, { once: true }).then(
        (written) => ids.push(...written) && 'appended',
        (error) => error.code ?? error.message,
      );
      codes.set(code, (codes.get(code) ?? 0) + 1);
      await pause(500, signal);
    }
    await heal();
    problems.push(...onlyAway(answers, 'without a connection'));
    if (codes.has('appended')) problems.push('an append found a connection where there was none');
    ids.push(...(await appendOwn(world, 20)));
    problems.push(...(await notReady(world)), ...changed(), ...(await undelivered(world, ids, signal)));
    const away = answers.filter(isAway);
    return {
      happened: Math.min(away.length, codes.get(TOO_MANY) ?? 0),
      what: `${ended} sessions ended and no new one for their user: the api answered ${away.length} of ${answers.length} requests 503 with Retry-After; appends: ${[...codes].map(([code, times]) => `${code} ${times} times`).join(', ')}`,
    };
  },
});

const TOO_MANY = '53300';

/**
 * Of the user that roles and producer have: refused with the SQLSTATE of a server that is full, while a superuser still gets in.
 * Held places would be lost to whoever is quicker.
 */
async function limitConnections({ outbox, environment }, most) {
  await outbox.query(`ALTER ROLE ${pg.escapeIdentifier(userOf(environment))} CONNECTION LIMIT ${most}`);
}

async function endSessions({ outbox, environment }) {
  const { rows } = await outbox.query(
    'SELECT count(pg_terminate_backend(pid))::int AS n FROM pg_stat_activity WHERE usename = $1',
    [userOf(environment)],
  );
  return rows[0].n;
}

function userOf({ OUTBOX_DATABASE_URL }) {
  return decodeURIComponent(new URL(OUTBOX_DATABASE_URL).username);
}

/** What else an api answered than that it is away, as one sentence. */
function onlyAway(answers, when) {
  const others = answers.filter((answer) => !isAway(answer));
  if (others.length === 0) return [];
  const shown = new Set(others.map(({ status, body }) => `${status} ${body.slice(0, 120)}`));
  return [
    `${when} the api was to answer 503 with Retry-After, and ${others.length} of ${answers.length} times did not: ${[...shown].join('; ')}`,
  ];
}
