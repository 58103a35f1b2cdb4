/**
 * `outbox verify`: whether this machine, these servers and this build deliver every event once, also while things break
 * (`--chaos`). On databases of its own beside the deployment's, with roles, keys and a deployment name of its own: nothing that
 * stands there is read, claimed or changed.
 */
import { randomInt } from 'node:crypto';
import { type Environment, loadSettings, requireSetting } from '../infrastructure/config/load-settings.js';
import { processEnvironment } from '../infrastructure/config/process-environment.js';
import { connectTemporal, type TemporalTarget } from '../infrastructure/temporal/connect-temporal.js';
import { chooseFaults, describeFault } from './chaos/choose-faults.js';
import { type ConductedRun, conductRun } from './chaos/conduct-run.js';
import { describeProgress } from './chaos/describe-progress.js';
import { endOwnRuns } from './chaos/end-own-runs.js';
import { STAGING_FAULTS } from './chaos/faults/index.js';
import { takeGivenDatabases } from './chaos/given-databases.js';
import { layOutWorld } from './chaos/lay-out.js';
import type { Fault } from './chaos/ports.js';
import type { RunOptions } from './chaos/run-chaos.js';
import { refuseUnplaced } from './chaos/schedule.js';
import { dropDatabase, findLeft, makeVerifyDatabases, type VerifyDatabases } from './chaos/verify-databases.js';
import { type AskedRun, summarize, writeRun } from './chaos/write-run.js';
import { readTarget } from './delivery-environment.js';
import { EXIT } from './exit-codes.js';
import { note, print } from './terminal.js';
import { UsageError } from './usage-error.js';

export interface VerifyOptions {
  readonly chaos?: boolean;
  readonly seed?: number;
  readonly minutes?: number;
  readonly faults?: string;
  readonly rate?: number;
  readonly short?: boolean;
  /** Names the faults and does nothing. */
  readonly list?: boolean;
  /** Two URLs of empty databases, for a role that may make none. */
  readonly databases?: string;
  /** For report.json and report.md; left out: none is written. */
  readonly report?: string;
  readonly json?: boolean;
}

const GENTLE = { events: 100, perSecond: 20 };
const MINUTES = { long: 5, short: 1 };

export async function runVerify(options: VerifyOptions): Promise<number> {
  if (options.list) {
    for (const fault of STAGING_FAULTS) print(describeFault(fault));
    return EXIT.done;
  }
  const environment = processEnvironment();
  const settings = loadSettings(environment, ['verify']);
  const target = readTarget(environment);
  const asked = ask(options);
  const urls = {
    outbox: requireSetting(settings.databaseUrl, 'OUTBOX_DATABASE_URL'),
    audit: requireSetting(settings.auditDatabaseUrl, 'AUDIT_DATABASE_URL'),
  };
  const say = (line: string) => note(line, options);
  const signals = listen(say);
  const undo: [what: string, step: () => Promise<unknown>][] = [];
  try {
    // First of all what may refuse: whether Temporal and the databases answer, and let us.
    const connection = await connectTemporal(target, { signal: signals.signal });
    undo.push(['the connection to Temporal', () => connection.close()]);
    const endRuns = (deployment: string, outboxUrl: string) =>
      endOwnRuns(connection, { namespace: target.namespace, deployment, outboxUrl });
    if (options.databases === undefined) await dropLeft(urls, endRuns, say);
    const databases = await openDatabases(options.databases, urls);
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
      fresh: true,
      servers: null,
      environment: ofTemporal(environment, target),
      signal: signals.signal,
      log: say,
    });
    let conducted: ConductedRun;
    try {
      const run = {
        ...asked.run,
        signal: signals.signal,
        onProgress: (progress: Parameters<typeof describeProgress>[0]) => say(describeProgress(progress)),
      };
      conducted = await conductRun(laid, run);
    } finally {
      for (const left of await laid.close()) say(`not taken down: ${left}`);
    }
    return await tell(options, asked, conducted, say);
  } catch (error) {
    if (signals.signal.aborted) return EXIT.interrupted;
    throw error;
  } finally {
    for (const [what, step] of undo.reverse()) {
      await step().catch((error: unknown) =>
        say(`${what}: left there (${error instanceof Error ? error.message : error})`),
      );
    }
    signals.release();
  }
}

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
  short = false,
}: VerifyOptions): Asked {
  if (!chaos && (names !== undefined || minutes !== undefined || short)) {
    throw new UsageError('--faults, --minutes and --short are of a run with faults: add --chaos', {
      command: 'outbox verify',
    });
  }
  const length = minutes ?? (short ? MINUTES.short : MINUTES.long);
  const faults = chaos ? choose(names, { seed, minutes: length, short }) : [];
  const perSecond = rate ?? GENTLE.perSecond;
  const run = chaos
    ? {
        minutes: length,
        load: 0.6,
        short,
        overlap: false,
        faults,
        ...(rate === undefined ? {} : { rate }),
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
  return { seed, run, told: { seed, ...told, faults: faults.map(({ id }) => id) } };
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

function openDatabases(given: string | undefined, urls: { outbox: string; audit: string }): Promise<VerifyDatabases> {
  return given === undefined ? makeVerifyDatabases(urls) : takeGivenDatabases(given);
}

/** Of runs on this machine that were killed. */
async function dropLeft(
  urls: { outbox: string; audit: string },
  endRuns: (deployment: string, outboxUrl: string) => Promise<number>,
  say: (line: string) => void,
): Promise<void> {
  for (const part of ['outbox', 'audit'] as const) {
    for (const { name, run, url } of await findLeft(part, urls[part])) {
      if (part === 'outbox') await endRuns(`verify-${run.replaceAll('_', '-')}`.slice(0, 40), url);
      await dropDatabase(urls[part], name);
      say(`dropped ${name}, which a killed run had left`);
    }
  }
}

/** How to reach Temporal and be let in, nothing else: a task queue or a worker's version of the deployment's would mix the two. */
function ofTemporal(environment: Environment, { address, connectionOptions }: TemporalTarget): Record<string, string> {
  const taken = Object.entries(environment).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== '' && PASSED_ON.test(entry[0]),
  );
  // Through a proxy on this machine the certificate is still the server's own.
  const name = connectionOptions.tls ? { TEMPORAL_TLS_SERVER_NAME: address.replace(/:\d+$/, '') } : {};
  return { ...name, ...Object.fromEntries(taken) };
}

const PASSED_ON = /^(TEMPORAL_.*|OUTBOX_SEARCH_ATTRIBUTE(S|_PREFIX))$/;

async function tell(
  options: VerifyOptions,
  { told }: Asked,
  conducted: ConductedRun,
  say: (line: string) => void,
): Promise<number> {
  const { report, json } = options;
  const written = await writeRun(report ?? null, { asked: told, conducted });
  if (json) print(JSON.stringify(written));
  else for (const line of summarize(written)) print(line);
  if (report !== undefined) say(`${report}: report.json`);
  if (conducted.record.interrupted) return EXIT.interrupted;
  return conducted.verdict === 'passed' ? EXIT.done : EXIT.failed;
}

function listen(say: (line: string) => void) {
  const stop = new AbortController();
  const onSignal = (name: NodeJS.Signals) => {
    if (stop.signal.aborted) process.exit(EXIT.interrupted);
    say(`${name}: healing, stopping, dropping what was made (again: at once)`);
    stop.abort(new Error(name));
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  const release = () => {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  };
  return { signal: stop.signal, release };
}
