/** F6: every process restarted by SIGTERM in turn, while callers never pause. */
import { setTimeout as sleepFor } from 'node:timers/promises';
import { AUDIT_LOOKUP_PATH } from '../../../contract/audit-api.js';
import type { ChaosWorld } from '../ports.js';
import { defineFault } from './define-fault.js';
import { within } from './wait.js';

export const rollingRestart = defineFault({
  id: 'F6',
  title: 'rolling SIGTERM restarts under load',
  weight: 2,
  short: [5, 10],
  long: [30, 60],
  async inflict(world, { signal, short, problems, heal }) {
    const { fleet } = world;
    const graceMs = Number(world.environment.OUTBOX_SHUTDOWN_GRACE_MS ?? 30_000);
    // A second one, as behind a balancer: of one alone a restart is an outage.
    const second = await fleet.add('api');
    const callers = startCallers(world);
    const restarted: string[] = [];
    try {
      const roles = ['relay', 'worker', 'api'] as const;
      const members = short ? roles.flatMap((role) => fleet.of(role).slice(0, 1)) : [...fleet.members];
      for (const member of members) {
        if (signal.aborted) break;
        const { ended, nextReady } = member.kill('SIGTERM');
        const code = await within(graceMs + 5_000, signal, ended);
        if (signal.aborted) break;
        if (code === null) problems.push(`${member.name} had not stopped ${graceMs / 1_000 + 5} s after SIGTERM`);
        else if (code !== 0) problems.push(`${member.name}: expected exit code 0 after SIGTERM, got ${code}`);
        restarted.push(member.name);
        await nextReady(60_000);
      }
    } finally {
      await callers.stop();
      await fleet.remove(second);
    }
    await heal();
    const [failed] = callers.failed;
    if (failed !== undefined) {
      problems.push(`${callers.failed.length} requests at the api failed, the first: ${failed}`);
    }
    const apis = restarted.filter((name) => name.startsWith('api')).length;
    if (callers.reset > CALLERS * apis) {
      problems.push(`${callers.reset} connections were reset while ${apis} apis stopped, each has ${CALLERS} at most`);
    }
    return {
      happened: restarted.length,
      what: `restarted ${restarted.join(', ')}; ${callers.answered} requests answered, ${callers.reset} connections reset and asked again`,
    };
  },
});

const CALLERS = 2;

/**
 * Whoever does not accept is passed over, since nothing was sent. So is, once, a connection that is reset before anything came back: as
 * a port is closed the kernel resets what it had accepted and nobody had taken yet. Who asks again must be answered. Everything
 * else that is no 200 is a failed request.
 */
function startCallers({ fleet, environment }: ChaosWorld) {
  const failed: string[] = [];
  let answered = 0;
  let reset = 0;
  let calling = true;
  const body = JSON.stringify({
    identities: [{ eventId: '0198c0de-0000-7000-8000-000000000001', source: 'outbox:nobody' }],
  });
  const headers = {
    authorization: `Bearer ${environment.OUTBOX_AUDIT_API_KEY}`,
    'content-type': 'application/json',
  };
  const loops = Array.from({ length: CALLERS }, async (_, caller) => {
    let wasReset = false;
    for (let turn = caller; calling || wasReset; turn += 1) {
      const apis = fleet.of('api');
      const port = apis[turn % apis.length]?.apiPort;
      try {
        const answer = await fetch(`http://127.0.0.1:${port}${AUDIT_LOOKUP_PATH}`, {
          ...{ method: 'POST', headers, body },
          signal: AbortSignal.timeout(10_000),
        });
        const text = await answer.text();
        wasReset = false;
        if (answer.status === 200) answered += 1;
        else failed.push(`status ${answer.status}: ${text.slice(0, 200)}`);
      } catch (error) {
        const code = ((error as Error).cause as { code?: string } | undefined)?.code;
        const isReset: boolean = code === 'ECONNRESET' && !wasReset;
        if (isReset) reset += 1;
        else if (code !== 'ECONNREFUSED') failed.push(`${code ?? ''} ${(error as Error).message}`);
        wasReset = isReset || (wasReset && code === 'ECONNREFUSED');
      }
      await sleepFor(20); // callers, no flood: the machine is the line's, too
    }
  });
  return {
    failed,
    get answered() {
      return answered;
    },
    get reset() {
      return reset;
    },
    async stop() {
      calling = false;
      await Promise.all(loops);
    },
  };
}
