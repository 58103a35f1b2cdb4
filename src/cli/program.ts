/**
 * The command line: parses, calls main, exits with its code. Settings come from the environment; options only say what to
 * do with them. Exit codes: 0 done, 1 failed, 64 wrong usage, 78 wrong configuration; `import` has its own.
 */
import { readFileSync } from 'node:fs';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import type { DevOptions } from '../main/dev/run-dev.js';
import { examples, exitWith, JSON_OPTION, parseId, parseIds, parseLimit, parseText, wholeUpTo } from './arguments.js';
import { addDlqCommands } from './dlq-commands.js';

const USAGE = 64;

const program = new Command('outbox')
  .description('Delivers every committed event of a PostgreSQL outbox to its handler through Temporal.')
  .version(packageVersion())
  .exitOverride()
  .showHelpAfterError('(run with --help for what is expected)');

program
  .command('dev')
  .description(
    'everything on this machine: PostgreSQL, Temporal with its Web UI, migrations, api, relay, worker, sample traffic',
  )
  .option('--once', 'run a fixed amount of sample traffic, compare the books, exit', false)
  .option('--data-dir <folder>', 'where the data stands between starts', '.data')
  .option('--config <file>', 'temporal-outbox.config.ts with your handlers')
  .option(
    '--migrate',
    'allow migrations and API keys of its own in the databases that OUTBOX_DATABASE_URL and AUDIT_DATABASE_URL name',
    false,
  )
  .option('--sample', 'allow sample traffic into a database that was named by OUTBOX_DATABASE_URL', false)
  .option(
    '--seed <number>',
    'what the sample application does: the same for the same number',
    wholeUpTo(2 ** 32 - 1),
    1,
  )
  .option('--start-timeout <seconds>', 'give up starting after this (default: 600 with --once)', wholeUpTo(86_400))
  .addHelpText(
    'after',
    examples('npm start', 'npm start -- --once --seed 7', 'OUTBOX_DATABASE_URL=postgres://… outbox dev --migrate'),
  )
  .action(async (options: DevOptions) => exitWith(await (await import('../main/dev/run-dev.js')).runDev(options)));

for (const role of ['api', 'relay', 'worker'] as const) {
  program
    .command(role)
    .description(
      {
        api: "the audit log's HTTP entrance",
        relay: 'claims due events and starts their workflows',
        worker: 'runs the workflows and the handlers',
      }[role],
    )
    .option('--config <file>', 'temporal-outbox.config.ts with your handlers')
    .addHelpText('after', examples(`outbox ${role}`))
    .action(async (options: { config?: string }) => exitWith(await runRoles([role], options)));
}

program
  .command('run')
  .description('several roles in one process; relay and worker together start workflows eagerly')
  .requiredOption('--roles <list>', 'api, relay, worker, separated by commas', parseRoles)
  .option('--config <file>', 'temporal-outbox.config.ts with your handlers')
  .addHelpText('after', examples('outbox run --roles relay,worker', 'outbox run --roles api,relay,worker'))
  .action(async (options: { roles: Role[]; config?: string }) => exitWith(await runRoles(options.roles, options)));

const migrate = program.command('migrate').description('the migrations of both databases');
migrate
  .command('deploy')
  .description('apply what is pending; several at once are safe')
  .option(
    '--deployment <name>',
    'the name in workflow ids and the task queue: a-z, 0-9, "-", at most 40 (default: main)',
  )
  .option('--json', 'print one JSON document', false)
  .addHelpText('after', examples('outbox migrate deploy --deployment shop'))
  .action(async (options) =>
    exitWith(await (await import('../main/run-migrate-command.js')).runMigrateCommand('deploy', options)),
  );
migrate
  .command('status')
  .description('what is applied, pending, changed or failed; exit code 1 when there is something to do')
  .option('--json', 'print one JSON document', false)
  .action(async (options) =>
    exitWith(await (await import('../main/run-migrate-command.js')).runMigrateCommand('status', options)),
  );

const keys = program.command('keys').description('API keys of the audit log');
keys
  .command('create')
  .description('make a key and print it; it is never shown again')
  .requiredOption('--name <text>', 'whose key it is')
  .addOption(
    new Option('--scope <scope...>', 'what it may do')
      .choices(['audit:write', 'audit:read', 'audit:write:any-tenant', 'dlq:read', 'dlq:write'])
      .default(['audit:write']),
  )
  .option('--tenant <id>', 'bind it to one tenant')
  .option('--json', 'print one JSON document', false)
  .addHelpText(
    'after',
    examples(
      'outbox keys create --name billing --tenant acme',
      'outbox keys create --name worker --scope audit:write:any-tenant',
      'outbox keys create --name operators --scope dlq:write   # without a tenant: what failed of every tenant',
    ),
  )
  .action(async (options) => exitWith(await (await import('../main/create-key.js')).runCreateKey(options)));

const failedIngest = program
  .command('failed-ingest')
  .description('what the audit log could not store for a reason of its own: look, store again, give up');
failedIngest
  .command('list')
  .description('the newest first')
  .addOption(
    new Option('--state <state>', 'which ones')
      .choices(['open', 'stored', 'other_content', 'discarded'])
      .default('open'),
  )
  .option('--tenant <id>', 'of one tenant ("" for none)')
  .addOption(new Option('--limit <n>', 'at most so many').argParser(parseLimit).default(50))
  .option('--before <id>', 'the page after the one that ended with this id', parseId)
  .option(...JSON_OPTION)
  .addHelpText('after', examples('outbox failed-ingest list', 'outbox failed-ingest list --state discarded --json'))
  .action(async (options) => exitWith(await (await failedIngestMain()).runList(options)));
failedIngest
  .command('show')
  .description('one with what was sent, as text')
  .argument('<id>', 'of the list', parseId)
  .option(...JSON_OPTION)
  .action(async (id: string, options) => exitWith(await (await failedIngestMain()).runShow(id, options)));
for (const verb of ['retry', 'discard'] as const) {
  failedIngest
    .command(verb)
    .description({ retry: 'store it now, as its sender', discard: 'give it up; it stays in the list' }[verb])
    .argument('<ids...>', 'of the list', parseIds)
    .requiredOption('--reason <text>', 'why, for whoever looks at it later', parseText(1_000))
    .option('--actor <name>', 'who asks (default: the user of this process)', parseText(200))
    .option(...JSON_OPTION)
    .addHelpText(
      'after',
      examples(`outbox failed-ingest ${verb} 0198c0de-0000-7000-8000-000000000001 --reason "the trigger is gone"`),
    )
    .addHelpText('after', '\nExit code 1 when one of them was not there, not open, or could not be stored again.')
    .action(async (ids: string[], options) =>
      exitWith(await (await failedIngestMain())[verb === 'retry' ? 'runRetry' : 'runDiscard'](ids, options)),
    );
}

addDlqCommands(program);

program
  .command('import')
  .description('foreign audit events, one JSON object a line, into the outbox; running it again adds nothing twice')
  .argument('<file>', 'an .ndjson file')
  .requiredOption('--mapping <name>', 'how to read the lines; an unknown name lists the known ones')
  .option('--tenant <id>', 'the tenant of every event of the file')
  .option('--json', 'print one JSON document at the end', false)
  .addHelpText(
    'after',
    examples('outbox import events.ndjson --mapping cloudtrail', 'outbox import other.ndjson --mapping default --json'),
  )
  .addHelpText(
    'after',
    '\nExit codes: 0 all in, 65 some lines refused (each is named), 66 no such file, 69 database away, 78 configuration',
  )
  .action(async (file: string, options) =>
    exitWith(await (await import('../main/run-import-command.js')).runImportCommand(file, options)),
  );

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : USAGE;
  else process.exitCode = await (await import('../main/report-error.js')).reportError(error);
}

type Role = 'api' | 'relay' | 'worker';

async function runRoles(roles: readonly Role[], options: { config?: string }): Promise<number> {
  return (await import('../main/run-roles.js')).runRolesCommand(roles, options);
}

function failedIngestMain() {
  return import('../main/failed-ingest.js');
}

function parseRoles(text: string): Role[] {
  const roles = text.split(',').map((role) => role.trim());
  const wrong = roles.find((role) => role !== 'api' && role !== 'relay' && role !== 'worker');
  if (wrong !== undefined) throw new InvalidArgumentError(`expected api, relay or worker, got "${wrong}"`);
  return [...new Set(roles)] as Role[];
}

function packageVersion(): string {
  const file = new URL('../../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
