/**
 * `outbox verify`: whether this machine, these servers and this build deliver every event once, also while things break
 * (`--chaos`). On databases of its own beside the deployment's, with roles, keys and a deployment name of its own: nothing that
 * stands there is read, claimed or changed.
 */
import { randomInt } from 'node:crypto';
import { loadSettings, requireSetting } from '../infrastructure/config/load-settings.js';
import { processEnvironment } from '../infrastructure/config/process-environment.js';
import { connectTemporal } from '../infrastructure/temporal/connect-temporal.js';
import { readTemporalStore } from '../infrastructure/temporal/inspect-temporal.js';
import { LEFT_OUT_FIRST, needOf, PRODUCER_CONNECTIONS, readRoom, SMALL_POOLS, whyNoRoom } from './chaos/check-room.js';
import { chooseFaults, describeFault } from './chaos/choose-faults.js';
import { type ConductedRun, conductRun } from './chaos/conduct-run.js';
import { describeProgress } from './chaos/describe-progress.js';
import { endOwnRuns } from './chaos/end-own-runs.js';
import { STAGING_FAULTS } from './chaos/faults/index.js';
import { readGivenUrls, takeGivenDatabases } from './chaos/given-databases.js';
import { layOutWorld } from './chaos/lay-out.js';
import { passedOn } from './chaos/passed-on.js';
import type { Fault } from './chaos/ports.js';
import { startOf } from './chaos/reaper.js';
import { refuseUnproxied } from './chaos/refuse-unproxied.js';
import type { RunOptions } from './chaos/run-chaos.js';
import { refuseUnplaced } from './chaos/schedule.js';
import { dropLeftDatabase, findLeft, makeVerifyDatabases, type VerifyDatabases } from './chaos/verify-databases.js';
import { within } from './chaos/within.js';
import { type AskedRun, summarize, writeRun } from './chaos/write-run.js';
import { readTarget } from './delivery-environment.js';
import { EXIT } from './exit-codes.js';
import { StartRefusedError } from './start-refused-error.js';
import { note, print } from './terminal.js';
import { UsageError } from './usage-error.js';

export interface VerifyOptions {
  readonly chaos?: boolean;
  readonly seed?: number;
  readonly minutes?: number;
  readonly faults?: string;
  readonly rate?: number;
  /** With `chaos`, in place of a rate: this share of what the line is measured to deliver. */
  readonly load?: number;
  readonly short?: boolean;
  /** Names the faults and does nothing. */
  readonly list?: boolean;
  /** Two URLs of empty databases, for a role that may make none. */
  readonly databases?: string;
  /** For report.json and report.md; left out: none is written. */
  readonly report?: string;
  readonly json?: boolean;
}

/** A rate that no staging notices: to find what the line delivers means to take all of it. */
const GENTLE = { events: 100, perSecond: 20 };
const MINUTES = { long: 5, short: 1 };
/** Of what is taken down at the end, each. */
const UNDO_MS = 150_000;

export async function runVerify(options: VerifyOptions): Promise<number> {
  if (options.list) {
    for (const fault of STAGING_FAULTS) print(describeFault(fault));
    return EXIT.done;
  }
  if (startOf(process.pid) === null) {
    throw new StartRefusedError(
      'outbox verify needs Linux: it knows the processes that it starts by /proc, and there is none here, so one that was killed would leave them. Nothing was made',
    );
  }
  const environment = processEnvironment();
  const settings = loadSettings(environment, ['verify']);
  const target = readTarget(environment);
  const asked = ask(options);
  const servers = {
    outbox: requireSetting(settings.databaseUrl, 'OUTBOX_DATABASE_URL'),
    audit: requireSetting(settings.auditDatabaseUrl, 'AUDIT_DATABASE_URL'),
  };
  const given = options.databases === undefined ? null : readGivenUrls(options.databases);
  const urls = given ?? servers;
  refuseUnproxied(given === null ? 'OUTBOX_DATABASE_URL' : '--databases, the outbox', urls.outbox);
  refuseUnproxied(given === null ? 'AUDIT_DATABASE_URL' : '--databases, the audit log', urls.audit);
  const say = (line: string) => note(line, options);
  let made: readonly string[] = [];
  const signals = listen(say, () => made);
  const undo: [what: string, step: () => Promise<unknown>][] = [];
  try {
    // First of all what may refuse: whether Temporal and the databases answer, and let us.
    const connection = await connectTemporal(target, { signal: signals.signal });
    undo.push(['the connection to Temporal', () => connection.close()]);
    const temporalStore = await readTemporalStore(connection);
    if (temporalStore === DEVELOPMENT_STORE && options.chaos === true) say(DEVELOPMENT_SERVER);
    const faults = await fitIntoRoom(options, asked, urls, say);
    const endRuns: EndRuns = (deployment, outboxUrl, signal) =>
      endOwnRuns(connection, { namespace: target.namespace, deployment, outboxUrl, ...(signal && { signal }) });
    if (given === null) await dropLeft(urls, (...of) => endRuns(...of, signals.signal), say);
    const databases: VerifyDatabases = await (given === null ? makeVerifyDatabases(urls) : takeGivenDatabases(given));
    made = databases.names;
    undo.push([`the databases ${databases.names.join(', ') || 'that were named'}`, () => databases.drop()]);
    const deployment = `verify-${databases.run.replaceAll('_', '-')}`.slice(0, 40);
    undo.push(['runs in Temporal', () => endRuns(deployment, databases.outboxUrl)]);
    say(
      `seed ${asked.seed}; deployment ${deployment}, databases of its own: ${databases.names.join(', ') || 'those that were named'}`,
    );
    signals.signal.throwIfAborted();

    const laid = await layOutWorld({
      seed: asked.seed,
      deployment,
      outboxUrl: databases.outboxUrl,
      auditUrl: databases.auditUrl,
      temporal: target,
      servers: null,
      environment: { ...SMALL_POOLS, ...passedOn(environment, target) },
      producer: { connections: PRODUCER_CONNECTIONS },
      onReaperLost: signals.stop,
      signal: signals.signal,
      log: say,
    });
    let conducted: ConductedRun;
    try {
      const run = {
        ...asked.run,
        faults,
        signal: signals.signal,
        onProgress: (progress: Parameters<typeof describeProgress>[0]) => say(describeProgress(progress)),
      };
      conducted = await conductRun(laid, run);
    } finally {
      for (const left of await laid.close()) say(`not taken down: ${left}`);
    }
    return await tell(options, { ...toldOf(asked, faults), temporalStore }, conducted, say);
  } catch (error) {
    if (signals.signal.aborted) return EXIT.interrupted;
    throw error;
  } finally {
    for (const [what, step] of undo.reverse()) {
      await within(UNDO_MS, what, step()).catch((error: unknown) =>
        say(`${what}: left there (${error instanceof Error ? error.message : error})`),
      );
    }
    signals.release();
  }
}

const DEVELOPMENT_STORE = 'sqlite';
const DEVELOPMENT_SERVER =
  'this Temporal keeps its runs in SQLite, as `temporal server start-dev` does: under faults it may be late, or answer no more until it is restarted ("interrupted (9)", seen with 1.29.1). That fails the run and says nothing of the line: for a verdict take a Temporal on a database server';

interface Asked {
  readonly seed: number;
  readonly run: Omit<RunOptions, 'signal' | 'onProgress'>;
  readonly told: AskedRun;
}

/** @throws UsageError before anything is started */
function ask({
  chaos = false,
  seed = randomInt(2 ** 32),
  faults: names,
  minutes,
  rate,
  load,
  short = false,
}: VerifyOptions): Asked {
  if (!chaos && (names !== undefined || minutes !== undefined || load !== undefined || short)) {
    throw new UsageError('--faults, --minutes, --load and --short are of a run with faults: add --chaos', {
      command: 'outbox verify',
    });
  }
  if (rate !== undefined && load !== undefined) {
    throw new UsageError('--load: expected it or --rate, got both', { command: 'outbox verify' });
  }
  const length = minutes ?? (short ? MINUTES.short : MINUTES.long);
  const faults = chaos ? choose(names, { seed, minutes: length, short }) : [];
  const perSecond = rate ?? GENTLE.perSecond;
  const run = chaos
    ? {
        minutes: length,
        load: load ?? 1,
        short,
        overlap: false,
        faults,
        ...(load === undefined ? { rate: perSecond } : {}),
      }
    : {
        minutes: GENTLE.events / perSecond / 60,
        events: GENTLE.events,
        rate: perSecond,
        load: 1,
        short: true,
        overlap: false,
        faults,
      };
  const { faults: _, load: _load, ...told } = run;
  const command = `outbox verify${chaos ? ' --chaos' : ''}`;
  return {
    seed,
    run,
    told: { seed, ...told, faults: faults.map(({ id }) => id), named: chaos ? (names ?? null) : null, command },
  };
}

/** Faults of the table that restart, stop or lose servers: a staging's are others', too. */
const OF_SERVERS = new Set(['F7', 'F9', 'F10', 'F11', 'F13', 'F15', 'F16', 'F27']);

function choose(
  names: string | undefined,
  schedule: { readonly seed: number; readonly minutes: number; readonly short: boolean },
): readonly Fault[] {
  const asked = (names ?? '').split(',').map((name) => name.trim().toUpperCase());
  const refused = asked.filter((name) => OF_SERVERS.has(name) && !STAGING_FAULTS.some(({ id }) => id === name));
  if (refused.length > 0) {
    throw new UsageError(
      `--faults: ${refused.join(', ')} would restart, stop or fill servers that others use: only \`npm run chaos\` in a checkout does that, to servers of its own`,
      { command: 'outbox verify' },
    );
  }
  try {
    const faults = chooseFaults(names, STAGING_FAULTS);
    if (names !== undefined) refuseUnplaced({ ...schedule, faults });
    return faults;
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(`--faults: ${error.message}`, { command: 'outbox verify' });
    throw error;
  }
}

/**
 * The faults that there is room for: of a mix those are left out whose roles would fill a server.
 * @throws StartRefusedError where there is no room for the rest, or for those that were asked for; nothing was made
 */
async function fitIntoRoom(
  { short = false, faults: named }: VerifyOptions,
  { run: { faults } }: Asked,
  urls: { readonly outbox: string; readonly audit: string },
  say: (line: string) => void,
): Promise<readonly Fault[]> {
  const rooms = { outbox: await readRoom('outbox', urls.outbox), audit: await readRoom('audit', urls.audit) };
  const whyNot = (of: readonly Fault[]) => whyNoRoom(rooms, needOf({ faults: of.map(({ id }) => id), short }));
  let fitting = faults;
  let reason = whyNot(fitting);
  for (const id of named === undefined ? LEFT_OUT_FIRST : []) {
    if (reason === null || !fitting.some((fault) => fault.id === id)) continue;
    say(`${id} is left out: ${reason}`);
    fitting = fitting.filter((fault) => fault.id !== id);
    reason = whyNot(fitting);
  }
  if (reason === null) return fitting;
  const without = faults.filter(({ id }) => !LEFT_OUT_FIRST.includes(id));
  const less = whyNot(without) === null ? `leave ${LEFT_OUT_FIRST.join(' and ')} out` : 'run it where fewer others are';
  throw new StartRefusedError(
    `${reason}. A verification must not take the last connection from whoever else lives there: end what is idle, raise ` +
      `max_connections (or the limit of the role), give the two databases two servers, or ${less}. Nothing was made`,
  );
}

/** What was left out makes another schedule: the command of the report names what was not. */
function toldOf({ told, run }: Asked, faults: readonly Fault[]): AskedRun {
  if (faults.length === run.faults.length) return told;
  const ids = faults.map(({ id }) => id);
  return { ...told, faults: ids, named: ids.join(',') };
}

type EndRuns = (deployment: string, outboxUrl: string, signal?: AbortSignal) => Promise<void>;

/** Of runs on this machine that were killed. What cannot be dropped is left, and said: it must not keep this run from coming. */
async function dropLeft(
  urls: { outbox: string; audit: string },
  endRuns: (deployment: string, outboxUrl: string) => Promise<void>,
  say: (line: string) => void,
): Promise<void> {
  for (const part of ['outbox', 'audit'] as const) {
    for (const { name, run, url } of await findLeft(part, urls[part])) {
      try {
        if (part === 'outbox') await endRuns(`verify-${run.replaceAll('_', '-')}`.slice(0, 40), url);
        await dropLeftDatabase(urls[part], name);
        say(`dropped ${name}, which a killed run had left`);
      } catch (error) {
        say(`${name}, which a killed run has left, stays: ${error instanceof Error ? error.message : error}`);
      }
    }
  }
}

async function tell(
  options: VerifyOptions,
  told: AskedRun,
  conducted: ConductedRun,
  say: (line: string) => void,
): Promise<number> {
  const { report, json } = options;
  const written = await writeRun(report ?? null, { asked: told, conducted });
  if (json) print(JSON.stringify(written));
  else for (const line of summarize(written)) print(line);
  if (report !== undefined) say(`${report}: report.md and report.json`);
  if (conducted.record.interrupted) return EXIT.interrupted;
  return conducted.verdict === 'passed' ? EXIT.done : EXIT.failed;
}

/** `made`: databases that stay where nobody waits for the end. */
function listen(say: (line: string) => void, made: () => readonly string[]) {
  const stop = new AbortController();
  const onSignal = (name: NodeJS.Signals) => {
    if (stop.signal.aborted) {
      const drops = made().map((database) => `DROP DATABASE IF EXISTS ${database} WITH (FORCE);`);
      if (drops.length > 0) {
        say(
          `${name} again: left there: ${drops.join(' ')} The next outbox verify on this machine drops them, and ends what is open in Temporal`,
        );
      }
      process.exit(EXIT.interrupted);
    }
    say(`${name}: healing, stopping, dropping what was made (again: at once)`);
    stop.abort(new Error(name));
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  const release = () => {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  };
  return {
    signal: stop.signal,
    release,
    stop(why: string) {
      say(why);
      stop.abort(new Error(why));
    },
  };
}
