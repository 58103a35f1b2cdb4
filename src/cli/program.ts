/**
 * The command line: parses, calls main, exits with its code. Settings come from the environment; options only say what to
 * do with them.
 */
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import type { DevOptions } from '../main/dev/run-dev.js';
import { packageVersion } from '../main/package-version.js';
import type { RoleName } from '../main/role-name.js';
import { CONFIG, exitWith, JSON_FLAG, wholeUpTo } from './arguments.js';
import { addAuditCommands } from './audit-commands.js';
import { addBooksCommands } from './books-commands.js';
import { addDestinationsCommands } from './destinations-commands.js';
import { addDlqCommands } from './dlq-commands.js';
import { addDoctorCommand } from './doctor-command.js';
import { addEventsCommands } from './events-commands.js';
import { addFailedIngestCommands } from './failed-ingest-commands.js';
import { addGrantsCommands } from './grants-commands.js';
import { EPILOGUE, explain } from './help.js';
import { addKeysCommands } from './keys-commands.js';
import { addOperatorsCommands } from './operators-commands.js';
import { addPoliciesCommands } from './policies-commands.js';
import { refuseUsage, requireOption } from './refuse-usage.js';
import { addStatusCommand } from './status-command.js';
import { addTemporalCommands } from './temporal-commands.js';
import { addVerifyCommand } from './verify-command.js';

// Whoever read enough (`| head`) closes the pipe: no error of anybody's.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}

const DEPLOYMENT = 'OUTBOX_DEPLOYMENT (default: main)';
const TEMPORAL = 'TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE (default: localhost:7233, default)';

const program = new Command('outbox')
  .description('Delivers every committed event of a PostgreSQL outbox to its handler through Temporal.')
  .version(packageVersion(), '-V, --version', 'print the version')
  .helpOption('-h, --help', 'print this')
  .helpCommand('help [command]', 'print the help of a command')
  .configureHelp({ helpWidth: Math.min(120, process.stdout.columns || 100) })
  .addHelpText('after', EPILOGUE);

explain(
  program
    .command('dev')
    .description(
      'everything on this machine: PostgreSQL, Temporal with its Web UI, migrations, api, relay, worker, sample traffic',
    )
    .option('--once', 'run a fixed amount of sample traffic, compare the books, exit')
    .option('--data-dir <folder>', 'where the data stands between starts', '.data')
    .option(...CONFIG)
    .option(
      '--migrate',
      'allow migrations and API keys of its own in the databases that OUTBOX_DATABASE_URL and AUDIT_DATABASE_URL name',
    )
    .option('--sample', 'allow sample traffic into a database that was named by OUTBOX_DATABASE_URL')
    .option(
      '--seed <number>',
      'what the sample application does: the same for the same number',
      wholeUpTo(2 ** 32 - 1),
      1,
    )
    .option('--start-timeout <seconds>', 'give up starting after this (default: 600 with --once)', wholeUpTo(86_400))
    .action(async (options: Omit<DevOptions, 'once' | 'migrate' | 'sample'>) => {
      const { runDev } = await import('../main/dev/run-dev.js');
      exitWith(await runDev({ once: false, migrate: false, sample: false, ...options }));
    }),
  {
    examples: [
      'outbox dev                    # stays up until Ctrl-C',
      'outbox dev --once --seed 7    # about a minute; exit code 0 only if the books agree',
      'OUTBOX_DATABASE_URL=postgres://… AUDIT_DATABASE_URL=postgres://… outbox dev --migrate',
    ],
  },
);

const ROLE_HELP = {
  api: {
    description: "the audit log's HTTP entrance",
    settings: ['AUDIT_DATABASE_URL, AUDIT_FINGERPRINT_KEYS'],
    examples: ['outbox api', 'OUTBOX_HOST=0.0.0.0 OUTBOX_API_PORT=80 outbox api'],
  },
  relay: {
    description: 'claims due events and starts a workflow for each',
    settings: ['OUTBOX_DATABASE_URL', DEPLOYMENT, TEMPORAL],
    examples: ['outbox relay', 'OUTBOX_PROBE_PORT=8083 outbox relay   # a second one on this machine'],
  },
  worker: {
    description: 'runs the workflows and the handlers',
    settings: [
      'OUTBOX_DATABASE_URL, OUTBOX_AUDIT_API_KEY',
      DEPLOYMENT,
      'OUTBOX_AUDIT_URL (default: http://127.0.0.1:8080)',
      TEMPORAL,
    ],
    examples: ['outbox worker', 'outbox worker --config config/outbox.ts'],
  },
} as const satisfies Record<RoleName, object>;
const ROLES = Object.keys(ROLE_HELP) as RoleName[];

for (const role of ROLES) {
  const { description, ...help } = ROLE_HELP[role];
  explain(
    program
      .command(role)
      .description(`${description}; until SIGTERM or SIGINT`)
      .option(...CONFIG)
      .action(async (options: { config?: string }) => exitWith(await runRoles([role], options))),
    help,
  );
}

explain(
  program
    .command('run')
    .description('several roles in one process; relay and worker together save round trips to Temporal')
    .option('--roles <list>', 'api, relay, worker, separated by commas (required)', parseRoles)
    .option(...CONFIG)
    .action(async (options: { roles: RoleName[]; config?: string }, command: Command) => {
      requireOption(command, '--roles <list>', options.roles);
      exitWith(await runRoles(options.roles, options));
    }),
  {
    settings: ['those of each role: outbox api --help, outbox relay --help, outbox worker --help'],
    examples: ['outbox run --roles relay,worker', 'outbox run --roles api,relay,worker'],
  },
);

const migrate = program.command('migrate').description('the tables of both databases: bring them up to date, or look');
explain(migrate, { examples: ['outbox migrate deploy --deployment shop', 'outbox migrate status'] });
explain(
  migrate
    .command('deploy')
    .description('apply what is pending; several at once are safe, and again does nothing')
    .option(
      '--deployment <name>',
      'stored once and for ever, in workflow ids and the task queue: a-z, 0-9, "-", at most 40. Default: ' +
        'OUTBOX_DEPLOYMENT (where both are given they must be the same), else the stored name, else main',
    )
    .option(
      '--wait',
      'make indexes of large tables although whoever appends or settles waits meanwhile; else it is refused',
    )
    .option(...JSON_FLAG)
    .action(async (options) => {
      const { runMigrateCommand } = await import('../main/run-migrate-command.js');
      exitWith(await runMigrateCommand('deploy', options));
    }),
  {
    settings: ['OUTBOX_DATABASE_URL, AUDIT_DATABASE_URL'],
    examples: ['outbox migrate deploy --deployment shop', 'outbox migrate deploy            # at every release'],
  },
);
explain(
  migrate
    .command('status')
    .description('what is applied, pending, changed or failed; exit code 1 when there is something to do')
    .option(...JSON_FLAG)
    .action(async (options) => {
      const { runMigrateCommand } = await import('../main/run-migrate-command.js');
      exitWith(await runMigrateCommand('status', options));
    }),
  {
    settings: ['OUTBOX_DATABASE_URL, AUDIT_DATABASE_URL'],
    examples: ['outbox migrate status', "outbox migrate status --json | jq '.[].pending'"],
  },
);

addKeysCommands(program);
addOperatorsCommands(program);

explain(
  program
    .command('import')
    .description(
      'foreign audit events, one JSON object a line, into the outbox; running it again adds nothing twice and goes on where it stopped',
    )
    .argument('<file>', 'an .ndjson file')
    .option(
      '--mapping <name>',
      'how to read the lines; an unknown name lists the known ones (default: each line by the one mapping that recognises it, else by "default")',
    )
    .option('--tenant <id>', 'the tenant of every event of the file (default: none)')
    .option('--json', 'print one JSON document at the end')
    .action(async (file: string, options) => {
      exitWith(await (await import('../main/run-import-command.js')).runImportCommand(file, options));
    }),
  {
    settings: ['OUTBOX_DATABASE_URL'],
    examples: [
      'outbox import events.ndjson --mapping cloudtrail',
      'outbox import mixed.ndjson   # what each line is read as is counted at the end',
      'outbox import other.ndjson --mapping default --json',
    ],
  },
);

addStatusCommand(program);
addDoctorCommand(program);
addVerifyCommand(program);
addPoliciesCommands(program);
addDlqCommands(program);
addDestinationsCommands(program);
addBooksCommands(program);
addTemporalCommands(program);
addEventsCommands(program);
addFailedIngestCommands(program);
addGrantsCommands(program);
addAuditCommands(program);
refuseUsage(program);
try {
  await program.parseAsync();
} catch (error) {
  const { reportError } = await import('../main/report-error.js');
  // Not from the parsed options: it must hold for a command line that does not parse.
  const json = process.argv.includes('--json');
  if (!(error instanceof CommanderError)) process.exitCode = reportError(error, { json });
}

async function runRoles(roles: readonly RoleName[], options: { config?: string }): Promise<number> {
  return (await import('../main/run-roles.js')).runRolesCommand(roles, options);
}

function parseRoles(text: string): RoleName[] {
  const roles = text.split(',').map((role) => role.trim());
  const wrong = roles.find((role) => !(ROLES as readonly string[]).includes(role));
  if (wrong !== undefined) throw new InvalidArgumentError(`expected ${ROLES.join(', ')}, got "${wrong}"`);
  return [...new Set(roles)] as RoleName[];
}
