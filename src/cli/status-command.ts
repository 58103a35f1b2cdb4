import { type Command, Option } from 'commander';
import { exitWith, JSON_FLAG, wholeUpTo } from './arguments.js';
import { explain } from './help.js';

export function addStatusCommand(program: Command): void {
  explain(
    program
      .command('status')
      .description(
        'how the delivery stands, what is not well first. Exit code 69 when the outbox database is away: what else is ' +
          'known is printed all the same',
      )
      .option(
        '--watch [seconds]',
        'again and again, every 2 s unless said otherwise: redrawn on a terminal, a line when something changes in a ' +
          'pipe, a document a line with --json',
        wholeUpTo(3_600, 1),
      )
      .addOption(new Option('--check', 'exit code 1 unless all is well').conflicts('watch'))
      .option(...JSON_FLAG)
      .action(async (options) => exitWith(await (await import('../main/status.js')).runStatus(options))),
    {
      settings: ['OUTBOX_DATABASE_URL', 'AUDIT_DATABASE_URL, to look at the audit log as well'],
      examples: [
        'outbox status',
        'outbox status --watch 5',
        "outbox status --check --json | jq '.verdict'    # for a monitoring system: 0 well, 1 not, 69 away",
      ],
    },
  );
}
