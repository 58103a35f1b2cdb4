/** `outbox status`: how the delivery stands, on the outbox database and, where one is named, the audit log's. */
import { setTimeout as sleep } from 'node:timers/promises';
import { loadSettings } from '../infrastructure/config/load-settings.js';
import { processEnvironment } from '../infrastructure/config/process-environment.js';
import { describeStatus } from './describe-status.js';
import { EXIT } from './exit-codes.js';
import { explainDatabase } from './explain-database.js';
import { openStatus, type Status, type StatusReader } from './read-status.js';
import { print, safeForTerminal } from './terminal.js';
import { UnavailableError } from './unavailable-error.js';

export interface StatusOptions {
  /** Seconds between two looks; true: `WATCH_SECONDS`. Left out: one look. */
  readonly watch?: number | true;
  /** Exit code 1 unless all is well. Not beside `watch`. */
  readonly check?: boolean;
  readonly json?: boolean;
}

const WATCH_SECONDS = 2;

/** Exit code 69 when the outbox database is away; what else is known is printed all the same. */
export async function runStatus(options: StatusOptions): Promise<number> {
  const settings = loadSettings(processEnvironment(), ['status']);
  const reader = openStatus(settings);
  try {
    await refuseUnfit(reader);
    if (options.watch !== undefined) return await watch(reader, options);
    const status = await reader.read();
    if (options.json) print(JSON.stringify(status));
    else for (const line of describeStatus(status)) print(line);
    return exitOf(status, options);
  } finally {
    await reader.close();
  }
}

/** A database that refuses us, or is not migrated, is a setting to mend; one that is away is a state to show. */
async function refuseUnfit(reader: StatusReader): Promise<void> {
  try {
    await reader.ping();
  } catch (error) {
    const explained = explainDatabase(error, 'outbox');
    if (!(explained instanceof UnavailableError)) throw explained;
  }
}

function exitOf({ parts, verdict }: Status, { check }: StatusOptions): number {
  if (parts.some(({ name, state }) => name === 'outboxDatabase' && state === 'away')) return EXIT.unavailable;
  return check && verdict.state !== 'well' ? EXIT.failed : EXIT.done;
}

/** Until a signal, or until nobody reads any more. */
async function watch(reader: StatusReader, { watch: every, json }: StatusOptions): Promise<number> {
  const ending = new AbortController();
  const end = () => ending.abort();
  process.once('SIGINT', end).once('SIGTERM', end);
  for (const event of ['error', 'close']) process.stdout.once(event, end);
  const show = json ? showDocument : process.stdout.isTTY ? redraw : tellChanges();
  const everyMs = (every === undefined || every === true ? WATCH_SECONDS : every) * 1_000;
  try {
    while (!ending.signal.aborted) {
      const status = await reader.read();
      // A look outlives the signal by its deadline at most; what it saw is nobody's then.
      if (!ending.signal.aborted) show(status);
      await sleep(everyMs, undefined, { signal: ending.signal }).catch(() => undefined); // the end, which the loop sees
    }
    return EXIT.done;
  } finally {
    process.off('SIGINT', end).off('SIGTERM', end);
    for (const event of ['error', 'close']) process.stdout.off(event, end);
  }
}

function showDocument(status: Status): void {
  print(JSON.stringify(status));
}

const HOME_AND_CLEAR = '\u001b[H\u001b[J';

/** Over what was there before; as much of it as the terminal has room for. */
function redraw(status: Status): void {
  const { columns = 80, rows = 24 } = process.stdout;
  const lines = describeStatus(status).map((line) => safeForTerminal(line).slice(0, columns));
  const shown =
    lines.length < rows ? lines : [...lines.slice(0, rows - 2), `... ${lines.length - rows + 2} lines more`];
  process.stdout.write(`${HOME_AND_CLEAR}${shown.join('\n')}\n`);
}

/** One line at first, and one whenever the verdict has another sentence. */
function tellChanges(): (status: Status) => void {
  let told = '';
  return ({ at, verdict: { state, sentence } }) => {
    const line = `${state}: ${sentence}`;
    if (line === told) return;
    told = line;
    print(`${at}  ${line}`);
  };
}
