// F7, F9, F10: the outbox's and the audit log's PostgreSQL restarts, is away, has no more connections.
import pg from 'pg';
import { defineFault } from '../../../dist/src/main/chaos/faults/define-fault.js';
import { sleep, until } from '../../../dist/src/main/chaos/faults/wait.js';
import { appendOwn, undelivered } from './append-own.mjs';
import { askApi, isAway, notLive } from './ask-api.mjs';
import { noteProcesses, notReady } from './same-processes.mjs';

const RESTARTS = 5;

export const immediateRestarts = defineFault({
  id: 'F7',
  title: 'PostgreSQL restarts immediately, five times',
  needs: 'servers',
  weight: 1,
  short: [8, 12],
  long: [40, 90],
  heal: ({ servers }) => servers.postgres.start(),
  async inflict(world, { durationMs, random, signal, problems, heal }) {
    const { postgres } = world.servers;
    const changed = noteProcesses(world);
    const ids = [];
    let happened = 0;
    for (let i = 0; i < RESTARTS && !signal.aborted; i += 1) {
      const before = postgres.pid;
      ids.push(...(await appendOwn(world, 10)));
      await postgres.restartImmediately();
      if (postgres.pid !== before) happened += 1;
      await sleep((durationMs / RESTARTS) * (0.5 + random()), signal);
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
      await sleep(500, signal);
    }
    const dead = signal.aborted ? [] : await notLive(world);
    const refused = await appendOwn(world, 1).then(
      () => null,
      (error) => error.code ?? error.message,
    );
    await heal();
    const away = answers.filter(isAway);
    const others = [
      ...new Set(
        answers.filter((answer) => !isAway(answer)).map(({ status, body }) => `${status} ${body.slice(0, 120)}`),
      ),
    ];
    if (others.length > 0)
      problems.push(`the api was to answer 503 with Retry-After, and also answered: ${others.join('; ')}`);
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
  async inflict(world, { durationMs, signal, problems, heal }) {
    const changed = noteProcesses(world);
    const ids = await appendOwn(world, 20);
    const greedy = holdEverything(world);
    const answers = [];
    try {
      await until(() => greedy.refused > 0, { withinMs: 10_000, signal });
      // What the roles have open they would go on with: now each has to come anew.
      const ended = await endRoles(greedy.held.values().next().value);
      const end = performance.now() + durationMs;
      while (performance.now() < end && !signal.aborted) {
        answers.push(await askApi(world));
        await sleep(500, signal);
      }
      greedy.ended = ended;
    } finally {
      await greedy.close();
    }
    await heal();
    const away = answers.filter(isAway);
    const others = [
      ...new Set(
        answers
          .filter((answer) => !isAway(answer) && answer.status !== 200)
          .map(({ status, body }) => `${status} ${body.slice(0, 120)}`),
      ),
    ];
    if (others.length > 0)
      problems.push(
        `without a connection the api was to answer 503 with Retry-After, and answered: ${others.join('; ')}`,
      );
    ids.push(...(await appendOwn(world, 20)));
    problems.push(...(await notReady(world)), ...changed(), ...(await undelivered(world, ids, signal)));
    return {
      happened: away.length,
      what: `${greedy.most} connections held until the server refused more (${greedy.refused} times), ${greedy.ended ?? 0} of the roles' ended: the api answered ${away.length} of ${answers.length} requests 503 with Retry-After`,
    };
  },
});

const FILLER = 'chaos-filler';

/** Opens connections, as the user that the roles have, until the server has none left, and takes each that becomes free. */
function holdEverything({ servers }) {
  const held = new Set();
  const state = { held, refused: 0, most: 0, ended: undefined, close };
  let over = false;
  const working = work();

  async function work() {
    while (!over) {
      const opened = await Promise.all(Array.from({ length: 8 }, open));
      if (!opened.includes(true)) await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  async function open() {
    const client = new pg.Client({
      connectionString: servers.postgres.adminUrl,
      application_name: FILLER,
      connectionTimeoutMillis: 5_000,
    });
    client.on('error', () => held.delete(client)); // the server ended it; another is opened
    try {
      await client.connect();
      held.add(client);
      state.most = Math.max(state.most, held.size);
      return true;
    } catch (error) {
      if (error.code === TOO_MANY) state.refused += 1;
      return false;
    }
  }
  async function close() {
    over = true;
    await working;
    await Promise.all([...held].map((client) => client.end().catch(() => {}))); // ended by the server already
  }
  return state;
}

const TOO_MANY = '53300';

/** By a connection that is held: there is no other. */
async function endRoles(client) {
  const { rows } = await client.query(
    `SELECT count(pg_terminate_backend(pid))::int AS n FROM pg_stat_activity
     WHERE backend_type = 'client backend' AND application_name NOT IN ('chaos-runner', $1) AND pid <> pg_backend_pid()`,
    [FILLER],
  );
  return rows[0].n;
}
