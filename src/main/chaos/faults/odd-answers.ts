/** F21, F22: answers that end a delivery: refused for good, or outside the agreement. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ChaosWorld, LedgerMode } from '../ports.js';
import { defineFault } from './define-fault.js';
import { untilStatus, withoutAnswer } from './look.js';
import { answerOwn, healLedger, idsOf, ownEvents, requestsOf } from './own-events.js';
import { PATIENCE_MS, until } from './wait.js';

const FINAL = [400, 410, 413, 422, 405, 404, 501, 505] as const;

export const finalRefusal = defineFault({
  id: 'F21',
  title: 'a final 4xx',
  weight: 2,
  resources: ['ledger', 'notices'],
  short: [3, 5],
  long: [15, 20],
  heal: healLedger,
  async inflict(world, { signal, short, problems, heal }) {
    const events = ownEvents(world, short ? 4 : 24, { expect: 'dead' });
    const ids = idsOf(events);
    const status = new Map(ids.map((id, at) => [id, FINAL[at % FINAL.length] as number]));
    answerOwn(world, ids, ({ eventId }) => ({ kind: 'status', status: status.get(eventId) ?? 400 }));
    await world.producer.append(events);
    const open = await untilStatus(world, ids, ['DEAD'], { withinMs: PATIENCE_MS, signal });
    if (open.length > 0) problems.push(`${open.length} of ${ids.length} refused events had no letter in time`);
    await heal();
    const lost = await withoutAnswer(world, ids);
    const requests = requestsOf(world, ids).filter(({ eventId }) => !lost.has(eventId));
    const refused = ids.length - lost.size;
    if (requests.length !== refused) {
      problems.push(`${refused} events refused for good were sent ${requests.length} times`);
    }
    const letters = await lettersOf(world, ids);
    for (const { id, code, spent } of letters) {
      if (lost.has(id)) continue;
      if (code !== 'HTTP.CLIENT_ERROR' || spent !== 1) {
        problems.push(
          `${id} (${status.get(id)}): expected HTTP.CLIENT_ERROR after one attempt, got ${code} after ${spent}`,
        );
      }
    }
    // The window of the group, and the reconciler's minute where its run was lost.
    const withinMs = Number(world.environment.OUTBOX_NOTICE_WINDOW_MS ?? 60_000) + 75_000;
    let untold = ids.length;
    const allTold = async () => {
      untold = await countUntold(world, ids);
      return untold === 0;
    };
    await until(allTold, { withinMs, signal, everyMs: 500 });
    if (untold > 0) problems.push(`${untold} of ${ids.length} letters were not told of after ${withinMs / 1_000} s`);
    return {
      happened: requests.length,
      what: `${requests.length} refusals, ${letters.length} letters, ${ids.length - untold} told of`,
    };
  },
});

interface Letter {
  readonly id: string;
  readonly code: string;
  readonly spent: number;
  readonly bytes: number;
}

async function lettersOf({ outbox }: ChaosWorld, ids: readonly string[]): Promise<readonly Letter[]> {
  const { rows } = await outbox.query<Letter>(
    `SELECT event_id AS id, code, retry_count AS spent, coalesce(octet_length(response::text), 0) AS bytes
     FROM outbox.dead_letter WHERE event_id = ANY ($1::uuid[]) AND state = 'open'`,
    [ids],
  );
  return rows;
}

async function countUntold({ outbox }: ChaosWorld, ids: readonly string[]): Promise<number> {
  const { rows } = await outbox.query<{ told: number }>(
    'SELECT count(DISTINCT event_id)::int AS told FROM outbox.notification WHERE event_id = ANY ($1::uuid[]) AND done_at IS NOT NULL',
    [ids],
  );
  return ids.length - (rows[0]?.told ?? 0);
}

const TEN_MB = 10 * 1024 * 1024;
/** What is kept of an answer, with its headers. */
const KEPT_BYTES = 32 * 1024;

interface OddAnswer {
  readonly name: string;
  readonly mode: LedgerMode;
  readonly expect: 'either' | 'dead';
}

/** Each 2xx with its effect, so that the ledger says so when it is asked, and without one, so that a letter must come. */
function oddAnswers(elsewhere: string): readonly OddAnswer[] {
  const successes = [
    { name: 'empty', status: 200, body: '' },
    { name: 'no content', status: 204, body: '' },
    { name: 'HTML', status: 200, headers: { 'content-type': 'text/html' }, body: '<html><body>Welcome</body></html>' },
    { name: '10 MB', status: 200, body: `{"id":"${'x'.repeat(TEN_MB)}"}` },
    { name: 'broken JSON', status: 201, body: '{"id":"12' },
  ];
  const redirect = (name: string, status: number): OddAnswer => ({
    name,
    mode: { kind: 'status', status, headers: { location: elsewhere } },
    expect: 'dead',
  });
  return [
    ...successes.map(({ name, ...answer }) => ({
      name: `${name}, done`,
      mode: { kind: 'odd' as const, ...answer },
      expect: 'either' as const,
    })),
    ...successes.map(({ name, ...answer }) => ({
      name: `${name}, not done`,
      mode: { kind: 'status' as const, ...answer },
      expect: 'dead' as const,
    })),
    redirect('moved', 301),
    redirect('elsewhere, by POST', 307),
  ];
}

export const oddSuccess = defineFault({
  id: 'F22',
  title: 'odd 2xx: empty, HTML, 10 MB, broken JSON; redirects',
  weight: 2,
  resources: ['ledger'],
  short: [3, 5],
  long: [20, 30],
  heal: healLedger,
  async inflict(world, { signal, short, problems, heal }) {
    const target = await startTarget();
    let sent = 0;
    try {
      const answers = oddAnswers(target.url);
      for (let round = 0; round < (short ? 1 : 5) && !signal.aborted; round += 1) {
        const odd = answers.flatMap(({ expect }) => ownEvents(world, 1, { expect }));
        const ids = idsOf(odd);
        const answerOf = (id: string) => answers[ids.indexOf(id)] as OddAnswer;
        answerOwn(world, ids, ({ eventId }) => answerOf(eventId).mode);
        // Good ones among them: ten bad answers in a row would open the breaker, which is another row.
        await world.producer.append(odd.flatMap((event) => [event, ...ownEvents(world, 2)]));
        // R18: the ledger is asked before the letter, and where the effect stands the delivery is settled by that.
        const open = await untilStatus(world, ids, ['DEAD', 'DELIVERED'], { withinMs: PATIENCE_MS, signal });
        for (const id of open) problems.push(`${answerOf(id).name}: neither letter nor receipt in time`);
        const letters = await lettersOf(world, ids);
        const dead = new Set(letters.map(({ id }) => id));
        for (const id of ids) {
          if (answerOf(id).expect === 'dead' && !open.includes(id) && !dead.has(id))
            problems.push(`${answerOf(id).name}: expected a letter, there is none`);
        }
        for (const { id, code, bytes } of letters) {
          const { name } = answerOf(id);
          if (code !== 'HTTP.BAD_RESPONSE') problems.push(`${name}: expected HTTP.BAD_RESPONSE, got ${code}`);
          if (bytes > KEPT_BYTES) problems.push(`${name}: ${bytes} bytes of the answer were kept`);
        }
        const lost = await withoutAnswer(world, ids);
        const requests = requestsOf(world, ids).filter(({ eventId }) => !lost.has(eventId)).length;
        if (requests > ids.length) problems.push(`${ids.length} odd answers were asked for ${requests} times`);
        sent += requests;
      }
      await heal();
      if (target.calls() > 0) problems.push(`a redirect was followed ${target.calls()} times`);
    } finally {
      await target.close();
    }
    return { happened: sent, what: `${sent} odd answers; the redirects' target was called ${target.calls()} times` };
  },
});

/** Where the redirects lead: nobody must come. */
async function startTarget() {
  let calls = 0;
  const server = createServer((_request, response) => {
    calls += 1;
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"id":"elsewhere"}');
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/elsewhere`,
    calls: () => calls,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}
