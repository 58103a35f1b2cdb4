/**
 * For a container's health check: exit code 0 where every port of this container's role that answers says 200, and one does.
 * `node health.mjs [/live | /ready]`, default /live. An image has no curl, and needs none.
 */
const path = process.argv[2] ?? '/live';
const ports = [process.env.OUTBOX_API_PORT ?? '8080', process.env.OUTBOX_PROBE_PORT ?? '8081'];

/** null: nothing listens there, since a container runs one role and each role has one port. */
async function statusAt(port) {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(4_000) });
    return answer.status;
  } catch (error) {
    if (error.cause?.code === 'ECONNREFUSED') return null;
    return error.message;
  }
}

const answers = (await Promise.all(ports.map(statusAt))).filter((status) => status !== null);
if (answers.length === 0 || answers.some((status) => status !== 200)) {
  process.stderr.write(
    `expected 200 of ${path} at one of the ports ${ports.join(', ')}, got ${answers.join(', ') || 'nothing'}\n`,
  );
  process.exitCode = 1;
}
