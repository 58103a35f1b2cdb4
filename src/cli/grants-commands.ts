import { type Command, Option } from 'commander';
import { exitWith, JSON_FLAG, textUpTo } from './arguments.js';
import { explain } from './help.js';

const ROLES = {
  producer: 'your application: may append events, and nothing else',
  relay: 'of `outbox relay`',
  worker: 'of `outbox worker`; in the audit database it seals and retires',
  api: 'of `outbox api`; in the outbox database what operators do (OUTBOX_OPS=on)',
  viewer: 'of people: may look, but for payloads and secrets',
};

/** `outbox grants`: who may do what in the two databases. */
export function addGrantsCommands(program: Command): void {
  const grants = program
    .command('grants')
    .description('the rights of the roles of PostgreSQL that each part logs in as: look at them, or apply them')
    .option('--print', 'print the statements, for psql')
    .option('--apply', 'apply them, in one transaction for each database; again changes nothing')
    .addOption(new Option('--database <name>', 'which one').choices(['outbox', 'audit', 'both']).default('both'));
  for (const [name, what] of Object.entries(ROLES)) grants.option(`--${name} <role>`, what, textUpTo(63));
  explain(
    grants
      .option(...JSON_FLAG)
      .action(async (options) => exitWith(await (await import('../main/grants.js')).runGrants(options))),
    {
      settings: ['OUTBOX_DATABASE_URL, AUDIT_DATABASE_URL, those of the owners; one with --database'],
      examples: [
        'outbox grants --print --producer shop --relay outbox_relay --worker outbox_worker --api audit_api',
        'outbox grants --apply --database audit --api audit_api --viewer auditors',
      ],
    },
  );
}
