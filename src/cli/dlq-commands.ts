import { type Command, Option } from 'commander';
import {
  ACTOR,
  CONFIG,
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

/** `outbox dlq …`: dead letters, in the outbox database. */
export function addDlqCommands(program: Command): void {
  const dlq = program.command('dlq').description('dead letters: look, redrive, discard');
  explain(dlq, {
    settings: SETTINGS,
    examples: ['outbox dlq kinds', 'outbox dlq list', `outbox dlq show ${ID}`],
  });
  explain(
    dlq
      .command('kinds')
      .description('open ones by event type and code, the most first: how many, since when, how many of late')
      .option('--tenant <id>', 'of one tenant ("" for none)')
      .option('--destination <name>', 'of one destination')
      .option(...JSON_FLAG)
      .action(async (options) => exitWith(await (await import('../main/dlq-kinds.js')).runKinds(options))),
    { settings: SETTINGS, examples: ['outbox dlq kinds', 'outbox dlq kinds --destination crm.contact --json'] },
  );
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
    { settings: SETTINGS, examples: [`outbox dlq show ${ID} --json`] },
  );
  addRedrive(dlq);
  addEdit(dlq);
  addDiscard(dlq);
  addJobs(dlq);
}

function addRedrive(dlq: Command): void {
  const redrive = dlq
    .command('redrive')
    .description('deliver them again: some by id, or all that a filter names, by a job that a relay runs')
    .argument('[ids...]', "of letters, or of events (then the event's latest letter): at most 100", collectIds);
  explain(
    withFilter(redrive)
      .option('--all', 'every open letter, where no filter is given')
      .option('--dry-run', 'only count what would be redriven')
      .option('--rate <n>', 'of a job: letters a second at most (default: 50)', wholeUpTo(1_000, 1))
      .option('--cap <n>', 'of a job: letters in all at most', wholeUpTo(100_000_000, 1))
      .option('--no-wait', 'of a job: do not wait for its end')
      .option(...REVISIONS)
      .option('--edited', 'of several ids: also those whose payload was edited, which are left out else')
      .option(...CONFIG)
      .option(REASON, 'why, for whoever looks at it later (required, but for --dry-run)', textUpTo(1_000))
      .option(...ACTOR)
      .option(...JSON_FLAG)
      .action(async (ids: string[], options, command: Command) => {
        if (!options.dryRun) requireOption(command, REASON, options.reason);
        exitWith(await (await mainOfActions()).runRedrive(ids, options));
      }),
    {
      settings: SETTINGS,
      examples: [
        `outbox dlq redrive ${ID} --reason "the partner is mended"`,
        'outbox dlq redrive --code HTTP.TLS --destination crm.contact --dry-run',
        'outbox dlq redrive --code HTTP.TLS --destination crm.contact --rate 20 --reason "new certificate"',
        'outbox dlq redrive --outage crm.contact --reason "it is back"',
      ],
    },
  );
}

function addEdit(dlq: Command): void {
  explain(
    dlq
      .command('payload')
      .description('the payload that its next redrive sends, as JSON: personal data and all')
      .argument('<id>', "of the letter, or of its event: then the event's latest letter", parseId)
      .action(async (id: string) => exitWith(await (await mainOfActions()).runPayload(id))),
    { settings: SETTINGS, examples: [`outbox dlq payload ${ID} > payload.json`] },
  );
  explain(
    dlq
      .command('edit')
      .description('give its event another payload, which its next redrive sends; prints where the two differ')
      .argument('<id>', "of the letter, or of its event: then the event's latest letter", parseId)
      .option(PAYLOAD, 'a file with the whole new payload, a JSON object (required)')
      .option(...REVISIONS)
      .option('--dry-run', 'only check it, and print where it differs')
      .option(REASON, 'why, for whoever looks at it later (required, but for --dry-run)', textUpTo(1_000))
      .option(...CONFIG)
      .option(...ACTOR)
      .option(...JSON_FLAG)
      .action(async (id: string, options, command: Command) => {
        requireOption(command, PAYLOAD, options.payload);
        if (!options.dryRun) requireOption(command, REASON, options.reason);
        exitWith(await (await mainOfActions()).runEdit(id, options));
      }),
    {
      settings: SETTINGS,
      examples: [
        `outbox dlq edit ${ID} --payload payload.json --dry-run`,
        `outbox dlq edit ${ID} --payload payload.json --revisions 0 --reason "the iban had a blank"`,
      ],
    },
  );
}

function addDiscard(dlq: Command): void {
  explain(
    dlq
      .command('discard')
      .description('give them up; nothing is deleted, they stay in the list. Exit code 1 when one was not open')
      .argument('<ids...>', "of letters, or of events (then the event's latest letter): at most 100", collectIds)
      .option(REASON, 'why, for whoever looks at it later (required)', textUpTo(1_000))
      .option(...ACTOR)
      .option(...JSON_FLAG)
      .action(async (ids: string[], options, command: Command) => {
        requireOption(command, REASON, options.reason);
        exitWith(await (await mainOfActions()).runDiscard(ids, options));
      }),
    { settings: SETTINGS, examples: [`outbox dlq discard ${ID} --reason "the order was cancelled by phone"`] },
  );
}

function addJobs(dlq: Command): void {
  explain(
    dlq
      .command('jobs')
      .description('redrives by a filter: the newest first, or one')
      .argument('[id]', 'of one job', parseId)
      .option('--cancel', 'end it; what is redriven stays so')
      .option('--limit <n>', 'at most so many, up to 200', wholeUpTo(200, 1), 50)
      .option('--before <id>', 'the page after the one that ended with this id', parseId)
      .option(...ACTOR)
      .option(...JSON_FLAG)
      .action(async (id: string | undefined, options) => exitWith(await (await mainOfActions()).runJobs(id, options))),
    { settings: SETTINGS, examples: ['outbox dlq jobs', `outbox dlq jobs ${ID} --cancel`] },
  );
}

const SETTINGS = ['OUTBOX_DATABASE_URL'];
const PAYLOAD = '--payload <file>';
const REVISIONS = [
  '--revisions <n>',
  'of one id: how often its payload had been edited when you looked (dlq show, dlq payload); refused where it was since',
  wholeUpTo(1_000_000, 0),
] as const;
const ID = '0198c0de-0000-7000-8000-000000000001';

function main() {
  return import('../main/dlq.js');
}

function mainOfActions() {
  return import('../main/dlq-redrive.js');
}

/** Which letters are meant. */
function withFilter(command: Command): Command {
  return command
    .option('--type <type>', 'of one event type')
    .option('--code <code>', 'of one code of docs/errors.md')
    .option('--tenant <id>', 'of one tenant ("" for none)')
    .option('--destination <name>', 'of one destination')
    .option('--outage <destination>', 'those that the latest outage of a destination made (outbox destinations list)')
    .option('--since <time>', 'written at this time or later, like 2026-11-23T09:30:00Z', parseTime)
    .option('--until <time>', 'written before this time', parseTime)
    .option(
      '--text <text>',
      'in the message, the field, the causes or the last response; needs --since, at most 31 days',
      textUpTo(200),
    );
}
