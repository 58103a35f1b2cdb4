/**
 * Toxiproxy as a child of the run, and its proxies by its HTTP API. Every call has a deadline; what cannot be healed is said,
 * since a proxy that stays cut would be blamed on the roles.
 */
import { randomInt } from 'node:crypto';
import { spawnSupervised } from '../../infrastructure/embedded/child-process.js';
import { onFreePort } from '../../infrastructure/embedded/free-port.js';
import type { ChaosProxy, Heal, ProxyName } from './ports.js';

export interface Toxiproxy {
  readonly pid: number;
  /** A proxy on a free loopback port to `upstream` (`127.0.0.1:5432`). */
  proxy(name: ProxyName, upstream: string): Promise<ChaosProxy>;
  stop(): Promise<void>;
  /** Rejects when it ended although nobody stopped it; never resolves. */
  readonly failed: Promise<never>;
}

const READY_WITHIN_MS = 10_000;
const CALL_WITHIN_MS = 5_000;

export interface ToxiproxyOptions {
  /** What `findToxiproxy` returned. */
  readonly program: string;
  /** Where its process id is kept. */
  readonly pidFile: string;
  /** Told at once, and of each that is tried: one that is still starting must not outlive us either. */
  readonly onSpawn?: (pid: number) => void;
  /** Told where it had to be started anew. */
  readonly note?: (line: string) => void;
}

export async function startToxiproxy({ program, pidFile, onSpawn, note }: ToxiproxyOptions): Promise<Toxiproxy> {
  const made: MadeProxy[] = [];
  let lost = (_: unknown): void => {};
  const failed = new Promise<never>((_, reject) => {
    lost = reject;
  });
  failed.catch(() => {}); // for whoever listens

  const startOn = async (port: number) => {
    const started = await spawnSupervised({
      title: 'toxiproxy',
      command: program,
      args: ['-host', '127.0.0.1', '-port', String(port)],
      env: { PATH: '/usr/bin:/bin', LOG_LEVEL: 'error' },
      pidFile,
      ...(onSpawn && { onSpawn }),
    });
    const call = caller(`http://127.0.0.1:${port}`);
    try {
      await untilItAnswers(call, started);
    } catch (error) {
      await started.stop('SIGTERM', 5_000);
      throw error;
    }
    return { started, call, port };
  };
  let server = await onFreePort(anyPort(), startOn);
  const watch = ({ started }: typeof server) => started.failed.catch(lost);
  watch(server);
  const call: Call = (...of) => server.call(...of);

  let anew: Promise<void> | null = null;
  /** Every connection ends, and every toxic is gone; what is cut stays cut. */
  const startAnew = (): Promise<void> => {
    anew ??= (async () => {
      note?.('toxiproxy answers no more (its issue 558): started anew, all connections through it end');
      await server.started.stop('SIGKILL', 5_000);
      server = await startOn(server.port);
      watch(server);
      for (const { name, listen, upstream, cuts } of made) {
        await call('POST', '/proxies', { name, listen, upstream: upstream.now, enabled: cuts.size === 0 });
      }
    })().finally(() => {
      anew = null;
    });
    return anew;
  };
  return {
    get pid() {
      return server.started.pid;
    },
    failed,
    proxy: (name, upstream) =>
      onFreePort(anyPort(), async (free) => {
        const listen = `127.0.0.1:${free}`;
        await call('POST', '/proxies', { name, listen, upstream, enabled: true });
        const own: MadeProxy = { name, listen, upstream: { own: upstream, now: upstream }, cuts: new Set() };
        made.push(own);
        return proxyOf(call, own, startAnew);
      }),
    async stop() {
      await anew?.catch(() => undefined); // told to whoever asked for it
      await server.started.stop('SIGTERM', 5_000);
    },
  };
}

interface MadeProxy {
  readonly name: ProxyName;
  readonly listen: string;
  readonly upstream: { readonly own: string; now: string };
  /** Two faults may cut one proxy: it is open again when both have healed. `heal` forgets them all. */
  readonly cuts: Set<symbol>;
}

/** Below the ports that outgoing connections get: one of those could take the place of a proxy while it is cut. */
export function anyPort(): number {
  return randomInt(10_000, 30_000);
}

type Call = (method: 'GET' | 'POST' | 'DELETE', path: string, body?: object) => Promise<unknown>;

function caller(origin: string): Call {
  return async (method, path, body) => {
    const answer = await fetch(`${origin}${path}`, {
      method,
      signal: AbortSignal.timeout(CALL_WITHIN_MS),
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    const text = await answer.text();
    if (!answer.ok)
      throw new Error(`toxiproxy: ${method} ${path} was answered ${answer.status}: ${text.slice(0, 500)}`);
    return text.startsWith('{') || text.startsWith('[') ? JSON.parse(text) : text;
  };
}

async function untilItAnswers(call: Call, server: { hasExited(): boolean; tail(): string }): Promise<void> {
  const deadline = Date.now() + READY_WITHIN_MS;
  for (;;) {
    const answer = await call('GET', '/version').then(
      () => null,
      (error: unknown) => error, // not yet: the loop has its own deadline
    );
    // Looked at last: what answered may be another's server, which was quicker on the port.
    if (server.hasExited()) throw new Error(`toxiproxy ended while starting:\n${server.tail()}`);
    if (answer === null) return;
    if (Date.now() > deadline) {
      throw new Error(`toxiproxy did not answer in ${READY_WITHIN_MS / 1_000} s:\n${server.tail()}`, { cause: answer });
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function proxyOf(call: Call, own: MadeProxy, startAnew: () => Promise<void>): ChaosProxy {
  const path = `/proxies/${own.name}`;
  const { upstream, cuts } = own;
  let toxics = 0;
  const openAgain = () => call('POST', path, { enabled: true });
  const lead = async (to: string) => {
    upstream.now = to;
    await call('POST', path, { upstream: to });
  };
  /** Taking off a toxic can hang for good where a connection has just lost its other end, and all calls with it. */
  const takeOff = async (name: string) => {
    try {
      await ignoring404(call('DELETE', `${path}/toxics/${name}`));
    } catch (error) {
      // By shape: it may be of another realm.
      if ((error as Partial<Error>).name !== 'TimeoutError') throw error;
      await startAnew();
    }
  };
  return {
    name: own.name,
    address: own.listen,
    async cut(): Promise<Heal> {
      const cut = Symbol();
      cuts.add(cut);
      await call('POST', path, { enabled: false });
      return async () => {
        if (cuts.delete(cut) && cuts.size === 0) await openAgain();
      };
    },
    async add(type, attributes, { stream = 'downstream', toxicity = 1 } = {}): Promise<Heal> {
      toxics += 1;
      const name = `${type}-${toxics}`;
      await call('POST', `${path}/toxics`, { name, type, stream, toxicity, attributes });
      return () => takeOff(name);
    },
    async upstream(address): Promise<Heal> {
      await lead(address);
      return () => lead(upstream.own);
    },
    async heal() {
      cuts.clear();
      const there = (await call('GET', `${path}/toxics`)) as { name: string }[];
      for (const toxic of there) await takeOff(toxic.name);
      const { enabled } = (await call('GET', path)) as { enabled: boolean };
      if (upstream.now !== upstream.own) await lead(upstream.own);
      if (!enabled) await openAgain();
    },
  };
}

/** Healed already, by another or together with everything. */
async function ignoring404(called: Promise<unknown>): Promise<void> {
  try {
    await called;
  } catch (error) {
    if (!(error instanceof Error && error.message.includes('was answered 404'))) throw error;
  }
}
