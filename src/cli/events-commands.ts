import { type Command, Option } from 'commander';
import { exitWith, JSON_FLAG, parseId, parseTime, textUpTo, wholeUpTo } from './arguments.js';
import { explain } from './help.js';

const SETTINGS = ['OUTBOX_DATABASE_URL'];
const ID = '0198c0de-0000-7000-8000-000000000001';

export function addEventsCommands(program: Command): void {
  const events = program.command('events').description('what was appended, and how far each of it has come');
  explain(events, {
    settings: SETTINGS,
    examples: ['outbox events list', `outbox events show ${ID}`, 'outbox events blocked'],
  });
  addList(events);
  explain(
    events
      .command('show')
      .description('one with its attempts, dead letters, revisions, runs and receipt; exit code 1 where there is none')
      .argument('<id>', 'of the event, or of a dead letter of it', parseId)
      .option(
        '--payload',
        'with the payload that its next attempt sends: personal data and all; numbers too long as text',
      )
      .option(...JSON_FLAG)
      .action(async (id: string, options) =>
        exitWith(await (await import('../main/events-show.js')).runShowEvent(id, options)),
      ),
    { settings: SETTINGS, examples: [`outbox events show ${ID}`, `outbox events show ${ID} --payload --json`] },
  );
  explain(
    events
      .command('blocked')
      .description('aggregates of ordered event types whose events wait behind a dead one: redrive or discard that one')
      .option('--type <type>', 'of one event type')
      .option('--destination <name>', 'of one destination')
      .option('--tenant <id>', 'of one tenant ("" for none)')
      .option('--limit <n>', 'at most so many, up to 200', wholeUpTo(200, 1), 50)
      .option('--after <event>', 'the page after the one that ended with this event', parseId)
      .option(...JSON_FLAG)
      .action(async (options) => exitWith(await (await import('../main/events.js')).runBlocked(options))),
    { settings: SETTINGS, examples: ['outbox events blocked', 'outbox events blocked --type ORDER --json'] },
  );
}

function addList(events: Command): void {
  explain(
    events
      .command('list')
      .description('the newest first. What is rare is looked for in turns: a page says how far back it has looked')
      // The contract's EVENT_STATES (a test compares): this layer knows main alone.
      .addOption(new Option('--state <state>', 'which ones').choices(STATES))
      .option('--type <type>', 'of one event type', textUpTo(128))
      .option('--name <name>', 'of one event name', textUpTo(128))
      .option('--destination <name>', 'of one destination', textUpTo(128))
      .option('--tenant <id>', 'of one tenant ("" for none)')
      .option('--aggregate-type <type>', 'of aggregates of one type', textUpTo(128))
      .option('--aggregate <id>', 'of one aggregate, by its id: quick, however old', textUpTo(512))
      .option('--source <source>', 'of one source', textUpTo(256))
      .option('--since <time>', 'recorded at this time or later, like 2026-11-23T09:30:00Z', parseTime)
      .option('--until <time>', 'recorded before this time', parseTime)
      .option('--limit <n>', 'at most so many, up to 200', wholeUpTo(200, 1), 50)
      .option('--cursor <text>', 'the page after: as the page before says it, same filter', textUpTo(200))
      .option(...JSON_FLAG)
      .action(async (options) => exitWith(await (await import('../main/events-list.js')).runListEvents(options))),
    {
      settings: SETTINGS,
      examples: [
        'outbox events list --state retrying',
        'outbox events list --aggregate 4711 --aggregate-type order',
        'outbox events list --tenant acme --since 2026-11-23T09:00:00Z --json',
      ],
    },
  );
}

export const STATES = ['waiting', 'running', 'retrying', 'delivered', 'dead', 'discarded'];
