import { type Command, InvalidArgumentError, Option } from 'commander';
import { ACTOR, exitWith, JSON_FLAG, parseTime, REASON, textUpTo } from './arguments.js';
import { explain } from './help.js';
import { requireOption } from './refuse-usage.js';

const SETTINGS = ['OUTBOX_DATABASE_URL'];
const load = () => import('../main/destinations.js');

export function addDestinationsCommands(program: Command): void {
  const destinations = program
    .command('destinations')
    .description('where events go: health, breaker, pauses; pause and resume');
  explain(destinations, { settings: SETTINGS, examples: ['outbox destinations list'] });
  explain(
    destinations
      .command('list')
      .description('how each stands, what is paused, and the open dead letters that its latest outage made')
      .option(...JSON_FLAG)
      .action(async (options) => exitWith(await (await load()).runList(options))),
    { settings: SETTINGS, examples: ['outbox destinations list', 'outbox destinations list --json'] },
  );
  explain(
    withScope(
      destinations
        .command('pause')
        .description(
          'hold what is not sent yet; nothing is spent and no deadline runs. Again: replaces reason and end',
        ),
    )
      .option('--until <time>', 'resume by itself then, like 2026-11-23T18:00:00Z', parseTime)
      .addOption(
        new Option('--for <duration>', 'resume by itself after, like 90s, 30m, 2h, 1d')
          .argParser(parseDuration)
          .conflicts('until'),
      )
      .action(async (name: string, options, command: Command) => {
        requireOption(command, REASON, options.reason);
        exitWith(await (await load()).runPause(name, options));
      }),
    {
      settings: SETTINGS,
      examples: [
        'outbox destinations pause erp.sync --reason "maintenance" --for 2h',
        'outbox destinations pause audit.log --type BILLING --reason "wrong amounts, see INC-17"',
        'outbox destinations pause \'*\' --tenant acme --reason "contract ended"',
      ],
    },
  );
  explain(
    withScope(
      destinations
        .command('resume')
        .description('end the pause of exactly this destination, type and tenant; exit code 1 when there is none'),
    ).action(async (name: string, options, command: Command) => {
      requireOption(command, REASON, options.reason);
      exitWith(await (await load()).runResume(name, options));
    }),
    { settings: SETTINGS, examples: ['outbox destinations resume erp.sync --reason "maintenance is over"'] },
  );
}

function withScope(command: Command): Command {
  return command
    .argument('<name>', "of the list; '*' for all", parseName)
    .option('--type <type>', 'only events of this type', parseType)
    .option('--tenant <id>', 'only events of this tenant ("" for those without one)')
    .option(REASON, 'why, for whoever looks at it later (required)', textUpTo(1_000))
    .option(...ACTOR)
    .option(...JSON_FLAG);
}

const NAME = /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/;

function parseName(text: string): string {
  if (text === '*' || NAME.test(text)) return text;
  throw new InvalidArgumentError('expected a routing key (1 to 64 letters, digits, "_", "." or "-") or "*"');
}

function parseType(text: string): string {
  if (NAME.test(text)) return text;
  throw new InvalidArgumentError('expected an event type (1 to 64 letters, digits, "_", "." or "-")');
}

const UNITS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

function parseDuration(text: string): number {
  const [, number = '', unit = ''] = /^([1-9]\d{0,4})([smhd])$/.exec(text) ?? [];
  if (number === '') throw new InvalidArgumentError('expected a duration like 90s, 30m, 2h or 1d');
  return Number(number) * UNITS[unit as keyof typeof UNITS];
}
