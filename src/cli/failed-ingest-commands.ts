import { type Command, Option } from 'commander';
import { ACTOR, collectIds, exitWith, JSON_FLAG, parseId, REASON, textUpTo, wholeUpTo } from './arguments.js';
import { explain } from './help.js';
import { requireOption } from './refuse-usage.js';

const SETTINGS = ['AUDIT_DATABASE_URL'];
const load = () => import('../main/failed-ingest.js');

export function addFailedIngestCommands(program: Command): void {
  const failedIngest = program
    .command('failed-ingest')
    .description('what the audit log could not store for a reason of its own: look, store again, give up');
  explain(failedIngest, { settings: SETTINGS, examples: ['outbox failed-ingest list'] });
  explain(
    failedIngest
      .command('list')
      .description('the newest first')
      .addOption(
        new Option('--state <state>', 'which ones')
          .choices(['open', 'stored', 'other_content', 'discarded'])
          .default('open'),
      )
      .option('--tenant <id>', 'of one tenant ("" for none)')
      .option('--limit <n>', 'at most so many, up to 200', wholeUpTo(200, 1), 50)
      .option('--before <id>', 'the page after the one that ended with this id', parseId)
      .option(...JSON_FLAG)
      .action(async (options) => exitWith(await (await load()).runList(options))),
    {
      settings: SETTINGS,
      examples: ['outbox failed-ingest list', 'outbox failed-ingest list --state discarded --json'],
    },
  );
  explain(
    failedIngest
      .command('show')
      .description('one with what was sent, as text')
      .argument('<id>', 'of the list', parseId)
      .option(...JSON_FLAG)
      .action(async (id: string, options) => exitWith(await (await load()).runShow(id, options))),
    { settings: SETTINGS, examples: ['outbox failed-ingest show 0198c0de-0000-7000-8000-000000000001'] },
  );
  for (const verb of ['retry', 'discard'] as const) {
    explain(
      failedIngest
        .command(verb)
        .description(
          {
            retry: 'store them now, as their sender; exit code 1 when one could not be',
            discard: 'give them up; they stay in the list. Exit code 1 when one was not open',
          }[verb],
        )
        .argument('<ids...>', 'of the list', collectIds)
        .option(REASON, 'why, for whoever looks at it later (required)', textUpTo(1_000))
        .option(...ACTOR)
        .option(...JSON_FLAG)
        .action(async (ids: string[], options, command: Command) => {
          requireOption(command, REASON, options.reason);
          const { runRetry, runDiscard } = await load();
          exitWith(await (verb === 'retry' ? runRetry : runDiscard)(ids, options));
        }),
      {
        settings: verb === 'retry' ? ['AUDIT_DATABASE_URL, AUDIT_FINGERPRINT_KEYS'] : SETTINGS,
        examples: [`outbox failed-ingest ${verb} 0198c0de-0000-7000-8000-000000000001 --reason "the trigger is gone"`],
      },
    );
  }
}
