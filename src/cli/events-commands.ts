import type { Command } from 'commander';
import { exitWith, JSON_FLAG, parseId, wholeUpTo } from './arguments.js';
import { explain } from './help.js';

const SETTINGS = ['OUTBOX_DATABASE_URL'];

export function addEventsCommands(program: Command): void {
  const events = program.command('events').description('events that wait for something');
  explain(events, { settings: SETTINGS, examples: ['outbox events blocked'] });
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
