/** A run as a page that people read and keep: what was asked, on what, what happened, what came of it. Pure. */
import { CHAOS_POLICIES, CHAOS_SETTINGS } from './chaos-config.js';
import { NODE_MEMORY_FLAGS } from './fleet-member.js';
import type { FaultRecord } from './inject-bout.js';
import type { WrittenRun } from './write-run.js';

const MOST_SENTENCES = 200;
const MEBIBYTE = 2 ** 20;

/** Markdown. The same run gives the same page. */
export function describeRun(run: WrittenRun): string {
  const { asked, record, books, verdict } = run;
  return `${[
    `# Chaos run, seed ${asked.seed}: ${verdict}`,
    `\`${commandOf(run)}\``,
    table(['', ''], [...conditionsOf(run), ...countsOf(run)]),
    '## Faults',
    record.faults.length === 0 ? 'None.' : faultTable(run),
    ...(run.notTried.length === 0 ? [] : [`Not tried, for want of time: ${run.notTried.join(', ')}.`]),
    '## Books',
    books === null ? 'They were not compared.' : table(['', ''], booksOf(run)),
    '## Looked at besides',
    list(run.looked, 'Nothing.'),
    '## Memory and handles',
    memoryTable(run),
    '## Problems',
    list(run.problems, 'None.'),
    '## Not shown',
    list(run.missing, 'Nothing is missing of what was asked for.'),
  ].join('\n\n')}\n`;
}

/** As it is given again: only with a rate of its own a run offers the same events, and only with the same faults the same schedule. */
function commandOf({ asked, record }: WrittenRun): string {
  const {
    command = 'npm run chaos --',
    seed,
    minutes,
    events,
    rate,
    faults,
    named,
    patience,
    short,
    overlap,
    coalesced,
    planted,
  } = asked;
  const typed = named === undefined ? faults.join(',') || 'none' : named;
  // Without faults it takes neither: it ends with its hundred events.
  if (command === 'outbox verify') return `${command} --seed ${seed} --rate ${rate ?? record.offeredPerSecond}`;
  return [
    `${command} --seed ${seed} --minutes ${minutes}`,
    ...(events === undefined ? [] : [`--events ${events}`]),
    `--rate ${rate ?? record.offeredPerSecond}`,
    ...(typed === null ? [] : [`--faults ${typed}`]),
    ...(patience === undefined ? [] : [`--patience ${patience}`]),
    ...(short ? ['--short'] : []),
    ...(overlap ? ['--overlap'] : []),
    ...(coalesced ? ['--coalesced'] : []),
    ...(planted ? [`--planted ${planted}`] : []),
  ].join(' ');
}

function conditionsOf({ version, node, machine, record, asked }: WrittenRun): [string, string][] {
  const measured = record.capacityPerSecond;
  const offered = `${round(record.offeredPerSecond)} events a second`;
  return [
    ['begun', new Date(record.startedAt).toISOString()],
    ['took', `${Math.round((record.endedAt - record.startedAt) / 1_000)} s, ${record.flowSeconds} s of it with events`],
    ['version', `${version}${asked.commit === undefined ? '' : ` (${asked.commit})`}, Node ${node}`],
    ['machine', machine],
    ['offered', measured === null ? `${offered}, as asked` : `${offered} of a measured ${round(measured)}`],
    ...(asked.temporalStore ? [['Temporal keeps its runs in', asked.temporalStore] as [string, string]] : []),
    ['unlike the defaults', unlikeDefaults()],
    ...(asked.planted ? [['planted bug', asked.planted] as [string, string]] : []),
  ];
}

function unlikeDefaults(): string {
  const { maxAttempts, deadlineMs, backoff } = CHAOS_POLICIES['*'];
  const settings = Object.entries(CHAOS_SETTINGS).map(([name, value]) => `${name}=${value}`);
  const policy = `${maxAttempts} attempts within ${deadlineMs / 60_000} min, ${backoff.kind} from ${backoff.initialMs} to ${backoff.maximumMs} ms`;
  return [...settings, policy, `Node with ${NODE_MEMORY_FLAGS.join(' ')}`].join(', ');
}

function countsOf({ record }: WrittenRun): [string, string][] {
  const refused = Object.entries(record.refused).map(([code, n]) => `${n} × ${code}`);
  return [
    ['committed', `${record.committed} events, by the producer's journal`],
    ['rolled back', `${record.rolledBack}`],
    ['in doubt', `${record.inDoubt}, whose COMMIT was not answered`],
    ['appends refused', refused.length === 0 ? 'none' : refused.join(', ')],
    ['never appended', `${record.neverAppended}`],
    ['settled after', record.settled === null ? 'not waited for' : `${round(record.settled.tookMs / 1_000)} s`],
  ];
}

function faultTable({ record, recovery }: WrittenRun): string {
  const seconds = (value: number | null | undefined) =>
    value === undefined ? '–' : value === null ? 'never' : `${value}`;
  const row = (fault: FaultRecord) => [
    `${fault.place}`,
    `${fault.fault} ${fault.title}`,
    `${round(fault.atMs / 1_000)}`,
    `${round((fault.healedAt - fault.begunAt) / 1_000)}`,
    `${fault.happened}: ${fault.what}`,
    `${seconds(recovery.flowsAfter[fault.place])} (≤ ${boundOf(fault)})`,
    seconds(recovery.newestAfter[fault.place]),
    seconds(record.drainSeconds[fault.place]),
  ];
  const heads = [
    '',
    'fault',
    'at, s',
    'held, s',
    'what showed it',
    'flows after, s',
    'newest after, s',
    'backlog gone after, s',
  ];
  return table(heads, record.faults.map(row));
}

function boundOf({ boundSeconds, breakerSeconds }: FaultRecord): string {
  return breakerSeconds === 0 ? `${boundSeconds}` : `${boundSeconds} + ${breakerSeconds} of a breaker`;
}

function booksOf({ books, booksAfterStop }: WrittenRun): [string, string][] {
  if (books === null) return [];
  const { lost, doubled, phantoms, violations, duplicates, inDoubt } = books;
  return [
    ['lost', `${lost.length}`],
    ['doubled effects', `${doubled.length}`],
    ['phantoms', `${phantoms.length}`],
    ['violations in all', `${violations.length}`],
    ['after the roles had stopped', booksAfterStop === null ? 'not compared' : `${booksAfterStop.violations.length}`],
    ['delivered', `${books.delivered}`],
    ['dead, with their letters', `${books.dead}`],
    ['discarded', `${books.discarded}`],
    ['open', `${books.open}`],
    [
      'in doubt',
      `${inDoubt.stand} stand, ${inDoubt.gone} do not, ${inDoubt.unresolved} of them by nothing but the missing row`,
    ],
    ['duplicates that were collapsed', `${duplicates.ledger} at the ledger, ${duplicates.audit} at the audit log`],
    ['of them without a failed attempt of their event', `${duplicates.unexplained}`],
    ['of events that a batch delivered, whose attempts leave none', `${duplicates.carried}`],
    ['events that might die or be delivered, as it came', describeEither(books.either)],
    ['effects that are still to be asked for', `${books.effectsToAsk}`],
    ['letters that nobody was told of', `${books.untold}`],
  ];
}

/** What the comparison lets pass either way: how much, and of what they died. */
function describeEither({ events, deadOf }: NonNullable<WrittenRun['books']>['either']): string {
  const codes = Object.entries(deadOf).map(([code, n]) => `${n} × ${code}`);
  return `${events}, dead of them ${codes.length === 0 ? 'none' : codes.join(', ')}`;
}

function memoryTable({ record }: WrittenRun): string {
  const { memory, handles } = record;
  const growth = (value: number | undefined, unit: number) =>
    value === undefined ? 'too short to say' : (value / unit).toFixed(2);
  const rows = Object.entries(memory.peak).map(([name, bytes]) => [
    name,
    round(bytes / MEBIBYTE),
    growth(memory.growthPerMinute[name], MEBIBYTE),
    `${handles.peak[name] ?? 'not counted'}`,
    growth(handles.growthPerMinute[name], 1),
  ]);
  return rows.length === 0
    ? 'Not sampled.'
    : table(['process', 'peak, MiB', 'growth, MiB a minute', 'files and sockets at most', 'growth a minute'], rows);
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(escapeCell).join(' | ')} |`;
  return [line(heads), `|${' --- |'.repeat(heads.length)}`, ...rows.map(line)].join('\n');
}

function list(sentences: readonly string[], none: string): string {
  if (sentences.length === 0) return none;
  const more = sentences.length - MOST_SENTENCES;
  return [
    ...sentences.slice(0, MOST_SENTENCES).map((sentence) => `- ${sentence.replaceAll(/\s+/g, ' ')}`),
    ...(more > 0 ? [`- and ${more} more, in report.json`] : []),
  ].join('\n');
}

function escapeCell(text: string): string {
  return text.replaceAll(/\s+/g, ' ').replaceAll('|', '\\|');
}

function round(value: number): string {
  return `${Math.round(value * 10) / 10}`;
}
