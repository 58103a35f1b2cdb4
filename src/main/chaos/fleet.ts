/** The roles of a chaos run as processes, kept alive: what a fault ends starts again a second later, with its ports. */
import { join } from 'node:path';
import { freePort } from '../../infrastructure/embedded/free-port.js';
import { countCrashes } from './crash-loop.js';
import { type KeptMember, startMember } from './fleet-member.js';
import type { Fleet, FleetMember, FleetRole } from './ports.js';
import type { Reaper } from './start-reaper.js';
import { anyPort } from './toxiproxy.js';

export interface FleetOptions {
  readonly roles: Readonly<Record<FleetRole, number>>;
  /** Of `outbox.js`. */
  readonly cli: string;
  readonly configFile: string;
  /** Of every role. */
  readonly environment: Readonly<Record<string, string>>;
  /** For what they print. */
  readonly folder: string;
  /** Of the first api, which the proxy from the worker to the api leads to. */
  readonly apiPort: number;
  readonly reaper: Reaper;
}

export interface StartedFleet extends Fleet {
  /** Aborted, with the sentence that says so, when a role ends by itself again and again: it would be started for ever. */
  readonly crashLoop: AbortSignal;
  /** All at once, by SIGTERM. An exit code other than 0 is told in `unwanted`. */
  close(): Promise<void>;
}

/** It only bounds what is broken: five processes load their code at once, on whatever machine. */
const READY_WITHIN_MS = 180_000;
const MOST_UNWANTED = 200;

/** Resolves when every role is ready. Rejects, with nothing left running, when one is not. */
export async function startFleet(options: FleetOptions): Promise<StartedFleet> {
  const members: KeptMember[] = [];
  const unwanted: string[] = [];
  const numbers: Record<FleetRole, number> = { relay: 0, worker: 0, api: 0 };
  const crashing = new AbortController();

  const crashed = countCrashes();

  function tellUnwanted(name: string, what: string): void {
    if (unwanted.length < MOST_UNWANTED) unwanted.push(what);
    const reason = crashed(name, what);
    if (reason !== null) crashing.abort(reason);
  }

  async function start(role: FleetRole, environment: Record<string, string> = {}) {
    numbers[role] += 1;
    const name = `${role}-${numbers[role]}`;
    const port = role === 'api' && numbers.api === 1 ? options.apiPort : await freePort(anyPort());
    const member = startMember({
      name,
      role,
      cli: options.cli,
      args: [role, '--config', options.configFile],
      environment: {
        NODE_COMPILE_CACHE: join(options.folder, 'compile-cache'),
        ...options.environment,
        [role === 'api' ? 'OUTBOX_API_PORT' : 'OUTBOX_PROBE_PORT']: String(port),
        ...environment,
      },
      port,
      outputFile: join(options.folder, `${name}.log`),
      reaper: options.reaper,
      unwanted: (what) => tellUnwanted(name, what),
    });
    members.push(member);
    return member;
  }

  async function stop(member: KeptMember): Promise<number | NodeJS.Signals> {
    const how = await member.stop();
    const at = members.indexOf(member);
    if (at >= 0) members.splice(at, 1);
    return how;
  }

  async function remove(member: KeptMember): Promise<number | NodeJS.Signals> {
    const how = await stop(member);
    if (how !== 0) unwanted.push(`${member.name} ended with ${how} when it was asked to stop`);
    return how;
  }

  const close = async () => {
    await Promise.all([...members].map(remove));
  };

  try {
    for (const role of ['api', 'relay', 'worker'] as const) {
      for (let i = 0; i < options.roles[role]; i += 1) await start(role);
    }
    await Promise.all(members.map((member) => member.untilReady(READY_WITHIN_MS)));
  } catch (error) {
    await close();
    throw error;
  }

  /** Without those that have none just now. */
  const ofEach = async (read: (member: KeptMember) => Promise<number | null>) => {
    const all = await Promise.all(members.map(async (member) => [member.name, await read(member)] as const));
    return new Map(all.filter((entry): entry is [string, number] => entry[1] !== null));
  };

  return {
    members,
    of: (role) => members.filter((member) => member.role === role),
    async add(role, environment) {
      const member = await start(role, environment);
      try {
        await member.untilReady(READY_WITHIN_MS);
      } catch (error) {
        await stop(member);
        throw error;
      }
      return member;
    },
    async remove(member: FleetMember) {
      const kept = members.find(({ name }) => name === member.name);
      if (kept === undefined) throw new Error(`${member.name} is not in the fleet`);
      return remove(kept);
    },
    memory: () => ofEach((member) => member.memory()),
    handles: () => ofEach((member) => member.handles()),
    unwanted,
    crashLoop: crashing.signal,
    close,
  };
}
