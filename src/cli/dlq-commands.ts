import { type Command, InvalidArgumentError, Option } from 'commander';
import { exitWith, JSON_FLAG, parseId, textUpTo, wholeUpTo } from './arguments.js';
import { explain } from './help.js';

/** `outbox dlq …`: dead letters, in the outbox database. */
export function addDlqCommands(program: Command): void {
  const dlq = program.command('dlq').description('dead letters: look, redrive, discard');
  explain(dlq, {
    settings: SETTINGS,
    examples: ['outbox dlq list', 'outbox dlq show 0198c0de-0000-7000-8000-000000000001'],
  });
  explain(
    withFilter(dlq.command('list').description('the newest first'))
      .addOption(
        new Option('--state <state>', 'which ones')
          .choices(['open', 'redriven', 'resolved', 'discarded'])
          .default('open'),
      )
      .option('--limit <n>', 'at most so many, up to 200', wholeUpTo(200, 1), 50)
      .option('--before <id>', 'the page after the one that ended with this id', parseId)
      .option(...JSON_FLAG)
      .action(async (options) => exitWith(await (await main()).runList(options))),
    {
      settings: SETTINGS,
      examples: [
        'outbox dlq list',
        'outbox dlq list --code HTTP.CLIENT_ERROR --since 2026-11-23T09:00:00Z --text "iban"',
      ],
    },
  );
  explain(
    dlq
      .command('show')
      .description('one with its attempts, its last response, its revisions and the letters before it')
      .argument('<id>', "of the letter, or of its event: then the event's latest letter", parseId)
      .option(...JSON_FLAG)
      .action(async (id: string, options) => exitWith(await (await main()).runShow(id, options))),
    { settings: SETTINGS, examples: ['outbox dlq show 0198c0de-0000-7000-8000-000000000001 --json'] },
  );
}

const SETTINGS = ['OUTBOX_DATABASE_URL'];

function main() {
  return import('../main/dlq.js');
}

/** Which letters are meant. */
function withFilter(command: Command): Command {
  return command
    .option('--type <type>', 'of one event type')
    .option('--code <code>', 'of one code of docs/errors.md')
    .option('--tenant <id>', 'of one tenant ("" for none)')
    .option('--destination <name>', 'of one destination')
    .option('--since <time>', 'written at this time or later, like 2026-11-23T09:30:00Z', parseTime)
    .option('--until <time>', 'written before this time', parseTime)
    .option(
      '--text <text>',
      'in the message, the field, the causes or the last response; needs --since, at most 31 days',
      textUpTo(200),
    );
}

function parseTime(text: string): string {
  const date = new Date(text);
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)$/.test(text) || Number.isNaN(date.getTime())) {
    throw new InvalidArgumentError('expected a time like 2026-11-23T09:30:00Z (RFC 3339, with a zone)');
  }
  return date.toISOString();
}
