/**
 * For a container's health check, and for whoever is on call: prints what this container's role answers. Exit code 0 where every port
 * of it that answers says 200, and one does. `node health.mjs [/live | /ready | /metrics]`, default /live. An image has no curl, and
 * needs none.
 */
const path = process.argv[2] ?? '/live';
const { OUTBOX_API_PORT: api = '8080', OUTBOX_PROBE_PORT: probes = '8081', OUTBOX_METRICS_PORT: metrics } = process.env;
const ports = path === '/metrics' && metrics ? [metrics] : [api, probes];

/** null: nothing listens there, since a container runs one role and each role has one port. */
async function statusAt(port) {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(4_000) });
    process.stdout.write(`${(await answer.text()).trimEnd()}\n`);
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
