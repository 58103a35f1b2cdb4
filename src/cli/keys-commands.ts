import { type Command, InvalidArgumentError, Option } from 'commander';
import type { CreateKeyOptions } from '../main/create-key.js';
import { exitWith, JSON_FLAG, wholeUpTo } from './arguments.js';
import { explain } from './help.js';
import { requireOption } from './refuse-usage.js';

const SETTINGS = ['AUDIT_DATABASE_URL'];
const SCOPES = [
  'audit:write',
  'audit:read',
  'audit:write:any-tenant',
  'audit:read:any-tenant',
  'dlq:read',
  'dlq:write',
  'admin',
];
const load = () => import('../main/keys.js');

/** `outbox keys …`: who may use the audit log's HTTP entrance. Over HTTP no key can do any of this. */
export function addKeysCommands(program: Command): void {
  const keys = program.command('keys').description('API keys of the audit log');
  explain(keys, {
    examples: ['outbox keys create --name worker --scope audit:write:any-tenant', 'outbox keys list'],
  });
  addCreate(keys);
  explain(
    keys
      .command('list')
      .description('all of them, the oldest first, without anything that is secret')
      .option(...JSON_FLAG)
      .action(async (options) => exitWith(await (await load()).runListKeys(options))),
    {
      settings: SETTINGS,
      examples: ['outbox keys list', "outbox keys list --json | jq '.[] | select(.lastUsedAt == null)'"],
    },
  );
  explain(
    keys
      .command('revoke')
      .description('end a key for good: its next request is answered 401; again changes nothing')
      .argument('<key>', 'its prefix or id', parseKeyRef)
      .option(...JSON_FLAG)
      .action(async (ref, options) => exitWith(await (await load()).runRevokeKey(ref, options))),
    {
      settings: SETTINGS,
      examples: ['outbox keys revoke k3v9x0ab', 'outbox keys revoke 0198c0de-0000-7000-8000-000000000001 --json'],
    },
  );
  explain(
    keys
      .command('rotate-secret')
      .description('give a key made with --signed another signing secret and print it; the old one holds for a while')
      .argument('<key>', 'its prefix or id', parseKeyRef)
      .option('--retire-after <when>', `how long the old secret holds: ${WHEN}; 0 for not at all`, '7d')
      .option(...JSON_FLAG)
      .action(async (ref, options) => exitWith(await (await load()).runRotateSecret(ref, options))),
    {
      settings: ['AUDIT_DATABASE_URL, AUDIT_SECRET_KEY'],
      examples: ['outbox keys rotate-secret k3v9x0ab', 'outbox keys rotate-secret k3v9x0ab --retire-after 0'],
    },
  );
}

const WHEN = 'days (90 or 90d), a date (2027-01-31, from 00:00 UTC) or a time in RFC 3339';

function addCreate(keys: Command): void {
  explain(
    keys
      .command('create')
      .description('make a key and print it, alone on standard output; it is never shown again')
      .option('--name <text>', 'whose key it is (required)')
      .addOption(
        new Option(
          '--scope <scope...>',
          'what it may do; audit:write:any-tenant is for the worker, admin is all but the any-tenant scopes',
        )
          .choices(SCOPES)
          .default(['audit:write']),
      )
      .option('--tenant <id>', 'bind it to one tenant')
      .option('--expires <when>', `when it ends: ${WHEN} (default: never)`)
      .option(
        '--rate-per-minute <events>',
        'a rate of its own (default: AUDIT_RATE_PER_MINUTE; none for audit:write:any-tenant)',
        wholeUpTo(100_000_000, 1),
      )
      .option('--signed', 'its requests must be signed by Standard Webhooks; the secret is printed on a second line')
      .option(...JSON_FLAG)
      .action(async (options: CreateKeyOptions, command: Command) => {
        requireOption(command, '--name <text>', options.name);
        exitWith(await (await import('../main/create-key.js')).runCreateKey(options));
      }),
    {
      settings: ['AUDIT_DATABASE_URL; with --signed also AUDIT_SECRET_KEY'],
      examples: [
        'outbox keys create --name worker --scope audit:write:any-tenant',
        'outbox keys create --name billing --tenant acme --scope audit:write audit:read --expires 90d',
        'outbox keys create --name partner --tenant acme --signed --rate-per-minute 600',
        'outbox keys create --name operators --scope dlq:write   # without a tenant: what failed of every tenant',
      ],
    },
  );
}

/** An id, a prefix, or a prefix as it stands in the key: whoever finds a key has that much of it in hand. */
function parseKeyRef(text: string): { id: string } | { prefix: string } {
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) return { id: text.toLowerCase() };
  const prefix = /^(?:tob_)?([a-z0-9]{8})(?:_[A-Za-z0-9_-]*)?$/.exec(text)?.[1];
  if (prefix === undefined) throw new InvalidArgumentError('expected the prefix of a key (8 of a-z, 0-9) or its id');
  return { prefix };
}
