// What a foreign caller of the api sees while its database is away or has no place for it. Nothing that is asked writes anything.
import { randomUUID } from 'node:crypto';

const ANSWERS_WITHIN_MS = 15_000;

/**
 * @param {import('../../../dist/src/main/chaos/ports.js').ChaosWorld} world
 * @returns {Promise<{ status: number, retryAfter: string | null, body: string }>} status 0: no answer
 */
export async function askApi({ fleet, environment }) {
  const [api] = fleet.of('api');
  try {
    const answer = await fetch(`http://127.0.0.1:${api.apiPort}/integration/v1/audit/lookup`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${environment.OUTBOX_AUDIT_API_KEY}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify({ identities: [{ tenantId: 'tenant-1', source: 'chaos:nobody', eventId: randomUUID() }] }),
      signal: AbortSignal.timeout(ANSWERS_WITHIN_MS),
    });
    return { status: answer.status, retryAfter: answer.headers.get('retry-after'), body: await answer.text() };
  } catch (error) {
    return { status: 0, retryAfter: null, body: String(error.cause ?? error) };
  }
}

/** 503 and a Retry-After in seconds: the caller knows that it may try again, and when. */
export function isAway({ status, retryAfter }) {
  return status === 503 && /^\d+$/.test(retryAfter ?? '');
}

/** Of every role, that the process answers at all. */
export async function notLive({ fleet }) {
  const asked = await Promise.all(
    fleet.members.map(async ({ name, probePort, apiPort }) => {
      const url = `http://127.0.0.1:${probePort ?? apiPort}/live`;
      const { status } = await fetch(url, { signal: AbortSignal.timeout(5_000) }).catch(() => ({ status: 0 }));
      return status === 200 ? null : name;
    }),
  );
  return asked.filter((name) => name !== null);
}
