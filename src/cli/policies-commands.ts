import type { Command } from 'commander';
import { ACTOR, CONFIG, exitWith, JSON_FLAG, wholeUpTo } from './arguments.js';
import { explain } from './help.js';
import { requireOption } from './refuse-usage.js';

const load = () => import('../main/policies.js');

export function addPoliciesCommands(program: Command): void {
  const policies = explain(
    program
      .command('policies')
      .description('policies of event types: those of the configuration, and what each does with a code')
      .option(...CONFIG)
      .option('--simulate <code>', 'print the attempts of an event that always fails with this code')
      .option('--event-type <name>', 'of this event type (default: the one for all others)')
      .option('--seed <number>', 'of the jitter in --simulate', wholeUpTo(2 ** 32 - 1), 1)
      .option('--attempt-ms <number>', 'how long each attempt of --simulate takes', wholeUpTo(600_000), 0)
      .option('--retry-after <seconds>', 'as the destination asks in --simulate', wholeUpTo(2_000_000_000))
      .option(...JSON_FLAG)
      .action(async (options) => {
        const { runListPolicies, runSimulatePolicy } = await load();
        exitWith(await (options.simulate === undefined ? runListPolicies(options) : runSimulatePolicy(options)));
      }),
    {
      examples: [
        'outbox policies               # with OUTBOX_DATABASE_URL, also which policy open deliveries have',
        'outbox policies --simulate HTTP.SERVER_ERROR --event-type ORDER --attempt-ms 200',
        'outbox policies apply --to-open --event-type ORDER',
      ],
    },
  );
  explain(
    policies
      .command('apply')
      .description(
        "make the configuration's policies those of open deliveries, or its ordering that of its event types",
      )
      .option('--to-open', 'point open deliveries to the policies; running ones follow at their next attempt')
      .option('--ordering', 'order event types as the configuration says, from the next event appended on')
      .option('--dry-run', 'of --ordering: say what would change, and which events would be refused')
      .option('--event-type <name>', 'this event type only')
      .option(...ACTOR)
      .option(...CONFIG)
      .option(...JSON_FLAG)
      .action(async (_, command: Command) => {
        const options = command.optsWithGlobals();
        if (!options.ordering) requireOption(command, '--to-open or --ordering', options.toOpen);
        if (options.dryRun && options.toOpen) command.error('--dry-run: of --ordering only; leave --to-open out');
        exitWith(await (await load()).runApplyPolicies(options));
      }),
    {
      settings: ['OUTBOX_DATABASE_URL'],
      examples: [
        'outbox policies apply --to-open --event-type ORDER --json',
        'outbox policies apply --ordering --dry-run',
      ],
    },
  );
}
