import { type Command, Option } from 'commander';
import { exitWith, JSON_FLAG, parseId, wholeUpTo } from './arguments.js';
import { addAuditLogCommands } from './audit-log-commands.js';
import { explain } from './help.js';

const SETTINGS = ['AUDIT_DATABASE_URL'];
const ID = '0198c0de-0000-7000-8000-000000000001';
const OCSF = ['--ocsf', 'as events of the Open Cybersecurity Schema Framework'] as const;
const load = () => import('../main/audit.js');

/** `outbox audit …`: the audit log's records, in its own database. */
export function addAuditCommands(program: Command): void {
  const audit = program.command('audit').description('the audit log: look, export, how far it is sealed and signed');
  addAuditLogCommands(audit);
  explain(audit, { settings: SETTINGS, examples: ['outbox audit list', 'outbox audit export > records.ndjson'] });
  explain(
    withFilter(audit.command('list').description('the newest first, of every tenant but where one is named'))
      .option('--limit <n>', 'at most so many, up to 200', wholeUpTo(200, 1), 50)
      .option('--before <id>', 'the page after the one that ended with this id', parseId)
      .option(...OCSF)
      .option(...JSON_FLAG)
      .action(async (options) => exitWith(await (await load()).runList(options))),
    {
      settings: SETTINGS,
      examples: [
        'outbox audit list --tenant acme --actor u-17',
        'outbox audit list --tenant acme --target-type order --target 4711 --json',
        'outbox audit list --action auth.user --outcome failure --since 2026-11-01T00:00:00Z',
      ],
    },
  );
  explain(
    audit
      .command('show')
      .description('one record')
      .argument('<id>', 'recordId, as its receipt says', parseId)
      .option(...OCSF)
      .option(...JSON_FLAG)
      .action(async (id: string, options) => exitWith(await (await load()).runShow(id, options))),
    { settings: SETTINGS, examples: [`outbox audit show ${ID} --json`] },
  );
  explain(
    withFilter(
      audit
        .command('export')
        .description('all of them on standard output, the oldest first; the last line says how many'),
    )
      .addOption(
        new Option('--format <format>', 'csv has no last line: look at the exit code')
          .choices(['ndjson', 'ocsf', 'csv'])
          .default('ndjson'),
      )
      .action(async (options) => exitWith(await (await load()).runExport(options))),
    {
      settings: SETTINGS,
      examples: [
        'outbox audit export --since 2026-11-01T00:00:00Z --until 2026-12-01T00:00:00Z > november.ndjson',
        'outbox audit export --tenant acme --format csv > acme.csv',
      ],
    },
  );
}

/** Which records are meant. What a value must look like is said where it does not. */
function withFilter(command: Command): Command {
  return command
    .option('--tenant <id>', 'of one tenant ("" for none)')
    .option('--actor-type <type>', 'user, service, system, apiKey or anonymous')
    .option('--actor <id>', 'of one actor')
    .option('--target-type <type>', 'of one kind of target')
    .option('--target <id>', 'of one target')
    .option('--action <words>', 'an action, or its first words: auth.user')
    .option('--category <name>', 'such as authentication, iam, data')
    .option('--operation <name>', 'such as create, read, login')
    .option('--outcome <name>', 'success, failure, denied or unknown')
    .option('--severity <name>', 'info, low, medium, high or critical')
    .option('--source <uri>', 'of one source')
    .option('--since <time>', 'recorded at this time or later, like 2026-11-23T09:30:00Z')
    .option('--until <time>', 'recorded before this time')
    .option('--occurred-since <time>', 'occurred at this time or later')
    .option('--occurred-until <time>', 'occurred before this time')
    .option('--text <text>', 'in the event, in whatever case');
}
