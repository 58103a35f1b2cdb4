// What a chaos run stands on: the proxies, the roles kept alive, the reaper. Real: toxiproxy, HTTP, processes and their signals.
// Fake: the role, a program of a few lines that answers /ready.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findToxiproxy, ToxiproxyNotFoundError } from '../../src/infrastructure/embedded/find-toxiproxy.js';
import { freePort } from '../../src/infrastructure/embedded/free-port.js';
import { type KeptMember, startMember } from '../../src/main/chaos/fleet-member.js';
import type { ChaosProxy } from '../../src/main/chaos/ports.js';
import { startOf } from '../../src/main/chaos/reaper.js';
import { type Reaper, startReaper } from '../../src/main/chaos/start-reaper.js';
import { anyPort, startToxiproxy, type Toxiproxy } from '../../src/main/chaos/toxiproxy.js';
import { eventually } from '../support/eventually.js';
import { FOUND_WITHIN_MS } from '../support/find-programs.js';
import { isAlive } from '../support/outbox-cli.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'outbox-chaos-test-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('proxies', () => {
  let toxiproxy: Toxiproxy;
  let proxy: ChaosProxy;
  const servers: Server[] = [];

  const answering = async (body: string) => {
    const server = createServer((_, response) => response.end(body));
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `127.0.0.1:${(server.address() as AddressInfo).port}`;
  };
  const noted: string[] = [];
  /** On a connection of its own: what is kept open would not see a way elsewhere. */
  const ask = async () => {
    const headers = { connection: 'close' };
    const answer = await fetch(`http://${proxy.address}/`, { headers, signal: AbortSignal.timeout(5_000) });
    return answer.text();
  };

  beforeAll(async () => {
    const program = await findToxiproxy({ environment: process.env, note: () => {} });
    toxiproxy = await startToxiproxy({
      ...{ program, pidFile: join(folder, 'toxiproxy.pid') },
      note: (line) => void noted.push(line),
    });
    proxy = await toxiproxy.proxy('ledger', await answering('first'));
  }, FOUND_WITHIN_MS);
  afterEach(() => proxy.heal());
  afterAll(async () => {
    await toxiproxy.stop();
    for (const server of servers) await new Promise((resolve) => server.close(resolve));
  });

  it('a cut refuses connections until it is healed', async () => {
    expect(await ask()).toBe('first');
    const heal = await proxy.cut();
    await expect(ask()).rejects.toThrow();
    await heal();
    expect(await ask()).toBe('first');
  });

  it('of two cuts, one that is healed leaves the other; `heal` takes off both', async () => {
    const one = await proxy.cut();
    await proxy.cut();
    await one();
    await one();
    await expect(ask()).rejects.toThrow();
    await proxy.heal();
    expect(await ask()).toBe('first');
  });

  it('a toxic holds until its own heal, and healing it again is nothing', async () => {
    const heal = await proxy.add('limit_data', { bytes: 1 });
    await expect(ask()).rejects.toThrow();
    const other = await proxy.add('latency', { latency: 1 });
    await heal();
    await heal();
    expect(await ask()).toBe('first');
    await proxy.heal();
    await other();
  });

  it('leads elsewhere and back', async () => {
    const back = await proxy.upstream(await answering('second'));
    expect(await ask()).toBe('second');
    await back();
    expect(await ask()).toBe('first');
  });

  it('one that answers no more is started anew where a toxic is to come off; what is cut stays cut', async () => {
    const other = await toxiproxy.proxy('ingest', await answering('other'));
    const open = await other.cut();
    const heal = await proxy.add('limit_data', { bytes: 1 });
    const hung = toxiproxy.pid;
    process.kill(hung, 'SIGSTOP');
    await heal();
    expect(await ask()).toBe('first');
    expect(toxiproxy.pid).not.toBe(hung);
    await expect(fetch(`http://${other.address}/`)).rejects.toThrow();
    await open();
    expect(await (await fetch(`http://${other.address}/`)).text()).toBe('other');
    expect(noted).toEqual([expect.stringContaining('started anew')]);
  });

  it('says what was tried where there is no toxiproxy', async () => {
    const environment = { TOXIPROXY_PATH: join(folder, 'none') };
    await expect(findToxiproxy({ environment, note: () => {} })).rejects.toThrow(ToxiproxyNotFoundError);
    await expect(findToxiproxy({ environment, note: () => {} })).rejects.toThrow(/TOXIPROXY_PATH: .*none is not/);
  });
});

describe('a role that is kept alive', () => {
  let reaper: Reaper;
  let member: KeptMember | undefined;
  let unwanted: string[];

  beforeEach(() => {
    reaper = startReaper();
    unwanted = [];
  });
  afterEach(async () => {
    await member?.stop();
    await reaper.close();
  });

  /** Prints its failpoint, answers /ready, ends with 7 when it is asked for /end, with 3 after SIGTERM once it was asked for /fail. */
  const PROGRAM = `
    let failing = false;
    console.log('failpoint ' + process.env.OUTBOX_TEST_FAILPOINT);
    require('node:http').createServer((request, response) => {
      response.end('ok');
      if (request.url === '/end') process.exit(7);
      if (request.url === '/fail') failing = true;
    }).listen(Number(process.env.PORT), '127.0.0.1');
    process.on('SIGTERM', () => process.exit(failing ? 3 : 0));
  `;
  const start = async () => {
    const cli = join(folder, 'role.cjs');
    await writeFile(cli, PROGRAM);
    // Kept over restarts, so below those that outgoing connections get.
    const port = await freePort(anyPort());
    const environment = { PORT: String(port), OUTBOX_TEST_FAILPOINT: 'after-claim' };
    member = startMember({
      ...{ name: 'relay-1', role: 'relay', cli, args: [], environment, port, reaper },
      outputFile: join(folder, `role-${port}.log`),
      unwanted: (what) => void unwanted.push(what),
    });
    await member.untilReady(20_000);
    return member;
  };

  it('comes again after a kill, on its port, without its failpoint; the kill was wanted', async () => {
    const role = await start();
    const killed = role.kill('SIGKILL');
    expect(killed.pid).toBe(role.pid);
    expect(await killed.ended).toBe('SIGKILL');
    await killed.nextReady(20_000);
    expect(role.pid).not.toBe(killed.pid);
    expect(role.printed()).toBe('failpoint after-claim\nfailpoint undefined\n');
    expect(unwanted).toEqual([]);
  });

  it('an end by itself is told, and it comes again all the same', async () => {
    const role = await start();
    const { pid } = role;
    await fetch(`http://127.0.0.1:${role.probePort}/end`).catch(() => {}); // it may end before it has answered
    await eventually('another process', async () => role.pid !== pid);
    await role.untilReady(20_000);
    expect(unwanted).toEqual([expect.stringContaining(`relay-1 (process ${pid}) ended by itself: 7`)]);
  });

  it('an end that was announced is wanted', async () => {
    const role = await start();
    const expected = role.expectEnd();
    await fetch(`http://127.0.0.1:${role.probePort}/end`).catch(() => {}); // it may end before it has answered
    expect(await expected.ended).toBe(7);
    await expected.nextReady(20_000);
    expect(unwanted).toEqual([]);
  });

  it('an end after SIGTERM with another code than 0 is told', async () => {
    const role = await start();
    await role.kill('SIGTERM').nextReady(20_000);
    expect(unwanted).toEqual([]);
    await fetch(`http://127.0.0.1:${role.probePort}/fail`);
    const failed = role.kill('SIGTERM');
    expect(await failed.ended).toBe(3);
    await failed.nextReady(20_000);
    expect(unwanted).toEqual([expect.stringContaining(`relay-1 (process ${failed.pid}) ended with 3 after SIGTERM`)]);
  });

  it('a stopped one is ended, too, and does not come again', async () => {
    const role = await start();
    role.kill('SIGSTOP');
    expect(await role.stop()).toBe(0);
    expect(isAlive(role.pid)).toBe(false);
    expect(unwanted).toEqual([]);
  });
});

describe('the reaper', () => {
  const children: ChildProcess[] = [];
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
  });
  const sleeper = () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
    children.push(child);
    return child.pid as number;
  };

  it('ends what is watched and removes folders when whoever told it is gone; what was forgotten stays', async () => {
    const own = join(folder, 'reaped');
    await mkdir(own);
    const [watched, forgotten] = [sleeper(), sleeper()];
    const reaper = startReaper();
    reaper.folder(own);
    for (const pid of [watched, forgotten]) reaper.watch(pid);
    reaper.forget(forgotten);
    await reaper.close(); // closes the pipe, as our end would
    expect([isAlive(forgotten), existsSync(own)]).toEqual([true, false]);
    await eventually('the watched one to be gone', async () => startOf(watched) === null || !isAlive(watched));
  });

  it('leaves a process alone that has only the number of the one that was watched', async () => {
    const pid = sleeper();
    const program = new URL('../../src/main/chaos/reaper.ts', import.meta.url).pathname;
    const reaper = spawn(process.execPath, [program], { stdio: ['pipe', 'ignore', 'ignore'] });
    const ended = new Promise((resolve) => reaper.once('exit', resolve));
    reaper.stdin.end(`${JSON.stringify({ watch: { pid, started: '1', signal: 'SIGKILL' } })}\n`);
    expect(await ended).toBe(0);
    expect(isAlive(pid)).toBe(true);
  });
});
