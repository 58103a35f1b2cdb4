import type { Command } from 'commander';
import { exitWith, JSON_FLAG } from './arguments.js';
import { explain } from './help.js';

/** `outbox temporal …`: the Temporal namespace that the runs are in. */
export function addTemporalCommands(program: Command): void {
  const temporal = program.command('temporal').description('the Temporal namespace that the runs are in');
  explain(temporal, { examples: ['outbox temporal adopt', 'outbox temporal adopt --lost'] });
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
