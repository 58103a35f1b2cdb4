import { type Command, InvalidArgumentError } from 'commander';
import { ACTOR, exitWith, JSON_FLAG, REASON, textUpTo, wholeUpTo } from './arguments.js';
import { explain } from './help.js';
import { requireOption } from './refuse-usage.js';

const HOUR = '--hour <hour>';
const load = () => import('../main/books.js');

/** `outbox books`: R23. */
export function addBooksCommands(program: Command): void {
  explain(
    program
      .command('books')
      .description(
        'whether every event of an hour is delivered, dead with a letter, or open in time, and stands in the audit log; exit code 1 when an hour shown does not balance',
      )
      .option(HOUR, 'one hour (UTC) with its gaps, like 2026-11-23T09', parseHour)
      .option('--gaps', 'of the list: only hours that do not balance')
      .option('--limit <n>', 'of the list: at most so many, up to 200', wholeUpTo(200, 1), 24)
      .option('--before <hour>', 'the page after the one that ended with this hour', parseHour)
      .option('--again', 'have the relay look at the hour, or those of --since and --until, anew, all of it')
      .option('--since <hour>', 'of --again: from this hour on', parseHour)
      .option('--until <hour>', 'of --again: only hours before this one', parseHour)
      .option('--repair', 'count what a repair of the hour would mend; changes nothing without --apply')
      .option('--apply', 'mend it')
      .option('--rate <n>', 'of a repair: events a second at most', wholeUpTo(1_000, 1), 50)
      .option('--force', 'of a repair: also more than 5 % of the hour')
      .option(REASON, 'why, for whoever looks at it later (required by --apply)', textUpTo(1_000))
      .option(...ACTOR)
      .option(...JSON_FLAG)
      .action(async (options, command: Command) => {
        const { hour, again, repair, apply, since, until } = options;
        const many = since !== undefined || until !== undefined;
        if (many) requireOption(command, '--again', again);
        if (many) requireOption(command, '--since <hour>', since);
        if (many && hour !== undefined) command.error('expected --hour, or --since with --until, not both');
        if (until !== undefined && until <= since) command.error('--until: expected an hour after --since');
        if ((again && !many) || repair || apply) requireOption(command, HOUR, hour);
        if (apply) requireOption(command, '--repair', repair);
        if (apply) requireOption(command, REASON, options.reason);
        if (many) exitWith(await (await load()).runAgain(since, options));
        else if (repair) exitWith(await (await load()).runRepair(hour, options));
        else if (hour !== undefined) exitWith(await (await load()).runHour(hour, options));
        else exitWith(await (await load()).runBooks(options));
      }),
    {
      settings: ['OUTBOX_DATABASE_URL'],
      examples: [
        'outbox books --gaps',
        'outbox books --hour 2026-11-23T09',
        'outbox books --again --since 2026-11-23T09 --until 2026-11-24T00',
        'outbox books --hour 2026-11-23T09 --repair',
        'outbox books --hour 2026-11-23T09 --repair --apply --reason "audit log restored from a backup, INC-17"',
      ],
    },
  );
}

function parseHour(text: string): string {
  const [, day = '', hour = ''] = /^([12]\d{3}-\d\d-\d\d)T(\d\d)(?::00(?::00(?:\.0+)?)?Z)?$/.exec(text) ?? [];
  const whole = `${day}T${hour}:00:00Z`;
  if (day === '' || Number.isNaN(Date.parse(whole))) {
    throw new InvalidArgumentError('expected an hour like 2026-11-23T09 (UTC)');
  }
  return whole;
}
