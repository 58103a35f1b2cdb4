import { type Command, Option } from 'commander';
import {
  ACTOR,
  collectIds,
  exitWith,
  JSON_FLAG,
  parseId,
  parseTime,
  REASON,
  textUpTo,
  wholeUpTo,
} from './arguments.js';
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
    withFilter(failedIngest.command('list').description('the newest first'))
      .addOption(
        new Option('--state <state>', 'which ones')
          .choices(['open', 'stored', 'other_content', 'discarded'])
          .default('open'),
      )
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
      .description('one, and what was sent, as text, while it is open')
      .argument('<id>', 'of the list', parseId)
      .option(...JSON_FLAG)
      .action(async (id: string, options) => exitWith(await (await load()).runShow(id, options))),
    { settings: SETTINGS, examples: ['outbox failed-ingest show 0198c0de-0000-7000-8000-000000000001'] },
  );
  for (const verb of ['retry', 'discard'] as const) {
    explain(
      withFilter(failedIngest.command(verb))
        .description(
          {
            retry: 'store them now, as their sender; exit code 1 when one could not be',
            discard: 'give them up: what was sent is gone, they stay in the list. Exit code 1 when one was not open',
          }[verb],
        )
        .argument('[ids...]', 'of the list; none: all that are open and match', collectIds)
        .option('--cap <n>', 'with a filter: at most so many', wholeUpTo(1_000, 1))
        .option('--after <id>', 'with a filter: go on after the one that a call before ended with', parseId)
        .option('--dry-run', 'with a filter: only count')
        .option(REASON, 'why, for whoever looks at it later (required)', textUpTo(1_000))
        .option(...ACTOR)
        .option(...JSON_FLAG)
        .action(async (given: string[] | undefined, options, command: Command) => {
          const ids = given ?? [];
          refuseMixture(command, ids, options);
          if (!options.dryRun) requireOption(command, REASON, options.reason);
          const { runRetry, runDiscard } = await load();
          exitWith(await (verb === 'retry' ? runRetry : runDiscard)(ids, options));
        }),
      {
        settings: ['AUDIT_DATABASE_URL, AUDIT_FINGERPRINT_KEYS'],
        examples: [
          `outbox failed-ingest ${verb} --code 23514 --since 2026-11-23T09:00:00Z --reason "the constraint is gone" --dry-run`,
          `outbox failed-ingest ${verb} 0198c0de-0000-7000-8000-000000000001 --reason "the trigger is gone"`,
        ],
      },
    );
  }
}

function withFilter(command: Command): Command {
  return command
    .option('--code <code>', 'that failed by this SQLSTATE or error', textUpTo(100))
    .option('--source <uri>', 'of this source', textUpTo(256))
    .option('--since <time>', 'kept at this time or later, like 2026-11-23T09:30:00Z', parseTime)
    .option('--until <time>', 'kept before this time', parseTime)
    .option('--tenant <id>', 'of one tenant ("" for none)');
}

const MATCHING = ['cap', 'after', 'dryRun'] as const;
const FILTER = ['code', 'source', 'since', 'until', 'tenant'] as const;

/** Ids or a filter: neither would be everything, and both would be a guess. */
function refuseMixture(command: Command, ids: readonly string[], options: Readonly<Record<string, unknown>>): void {
  const filtered = FILTER.some((name) => options[name] !== undefined);
  if (ids.length === 0 && !filtered)
    command.error('expected ids, or a filter: --code, --source, --since, --until, --tenant');
  if (ids.length > 0 && (filtered || MATCHING.some((name) => options[name] !== undefined))) {
    command.error('expected ids or a filter, got both');
  }
}
