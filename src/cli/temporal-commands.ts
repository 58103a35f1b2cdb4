import type { Command } from 'commander';
import type { TemporalSetupOptions } from '../main/temporal-setup.js';
import { CONFIG, exitWith, JSON_FLAG, wholeUpTo } from './arguments.js';
import { explain } from './help.js';

/** Temporal takes no less than an hour and ninety days here are Temporal Cloud's most. */
const RETENTION = wholeUpTo(2_160, 1);

/** `outbox temporal …`: the Temporal namespace that the runs are in. */
export function addTemporalCommands(program: Command): void {
  const temporal = program.command('temporal').description('the Temporal namespace that the runs are in');
  explain(temporal, {
    examples: ['outbox temporal setup --print', 'outbox temporal adopt', 'outbox temporal adopt --lost'],
  });
  explain(
    temporal
      .command('setup')
      .description('how to make the namespace, its retention and its search attributes, for the settings as they are')
      .option('--print', 'print the commands; nothing is asked and nothing is run')
      .option(
        '--retention <hours>',
        'how long it keeps closed runs (default: 72, or what the policies need)',
        RETENTION,
      )
      .option('--cloud', "for Temporal Cloud (default: where TEMPORAL_ADDRESS is one of Temporal Cloud's)")
      .option(...CONFIG)
      .option(...JSON_FLAG)
      .action(async (options: TemporalSetupOptions) =>
        exitWith(await (await import('../main/temporal-setup.js')).runTemporalSetup(options)),
      ),
    {
      examples: [
        'outbox temporal setup --print',
        'outbox temporal setup --print | sh -e                    # where the `temporal` CLI is, once',
        'TEMPORAL_ADDRESS=eu-west-1.aws.api.temporal.io:7233 TEMPORAL_NAMESPACE=shop.a1b2c outbox temporal setup --print',
        'outbox temporal setup --print --retention 168 --json',
      ],
    },
  );
  explain(
    temporal
      .command('adopt')
      .description(
        'say whether Temporal still is the one that the runs were started in; with --lost, go on without them',
      )
      .option(
        '--lost',
        'the runs are lost for good: take this namespace, and dispatch every started event again (epoch + 1)',
      )
      .option(...JSON_FLAG)
      .action(async (options: { lost?: boolean; json?: boolean }) =>
        exitWith(await (await import('../main/temporal-adopt.js')).runTemporalAdopt(options)),
      ),
    {
      settings: ['OUTBOX_DATABASE_URL', 'TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE (default: localhost:7233, default)'],
      examples: [
        'outbox temporal adopt          # only looks; exit code 1 where something is to be done',
        'outbox temporal adopt --lost   # after the loss of its data',
      ],
    },
  );
}
