import { type Command, InvalidArgumentError } from 'commander';
import { exitWith, JSON_FLAG, wholeUpTo } from './arguments.js';
import { explain } from './help.js';

export function addVerifyCommand(program: Command): void {
  explain(
    program
      .command('verify')
      .description(
        'sends events through a line of its own on these servers and compares what was committed, delivered and stored; with ' +
          '--chaos while it kills, stops and cuts off what it has started. On databases of its own, dropped at the end. Exit code ' +
          '1 where something did not hold',
      )
      .option('--chaos', 'with faults')
      .option('--faults <list>', 'F1,F3: those; none; all. Default: those that mix')
      .option('--list', 'the faults that it can do, and nothing else')
      .option(
        '--seed <n>',
        'decides which fault comes when (default: a random one, which is told)',
        wholeUpTo(2 ** 32 - 1),
      )
      .option('--minutes <m>', 'how long events flow and faults come (default: 5)', minutes)
      .option('--rate <n>', 'events a second (default: 20)', wholeUpTo(10_000, 1))
      .option(
        '--load <share>',
        'with --chaos, in place of a rate: 0.1 to 0.9 of what the line delivers, which is measured first, at full load',
        share,
      )
      .option('--short', 'short faults and short gaps')
      .option('--databases <urls>', 'of two empty databases, separated by a comma, where the role may not make its own')
      .option('--report <folder>', 'writes the whole report there')
      .option(...JSON_FLAG)
      .action(async (options) => exitWith(await (await import('../main/verify.js')).runVerify(options))),
    {
      settings: [
        'OUTBOX_DATABASE_URL, AUDIT_DATABASE_URL: on their servers databases are made, theirs are not touched',
        'TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE (default: localhost:7233, default)',
        'PGPASSWORD and what else PostgreSQL reads, NODE_EXTRA_CA_CERTS: for all that it starts',
      ],
      examples: [
        'outbox verify                                  # a hundred events, no faults, about a minute',
        'outbox verify --chaos --minutes 10 --report ./verified',
        'outbox verify --chaos --faults F1,F3 --seed 7 --json',
        '# docs/reliability/README.md says what is compared, and what it cannot show',
      ],
    },
  );
}

function minutes(text: string): number {
  const value = Number(text);
  if (/^\d{1,4}(\.\d{1,2})?$/.test(text) && value >= 0.2 && value <= 1_440) return value;
  throw new InvalidArgumentError(`expected minutes from 0.2 to 1440, got "${text}"`);
}

function share(text: string): number {
  const value = Number(text);
  if (/^0?\.\d{1,2}$/.test(text) && value >= 0.1 && value <= 0.9) return value;
  throw new InvalidArgumentError(`expected a share from 0.1 to 0.9, got "${text}"`);
}
