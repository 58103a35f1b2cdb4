import { type Command, InvalidArgumentError } from 'commander';
import { exitWith, JSON_FLAG, oneLine, parseId, REASON } from './arguments.js';
import { explain } from './help.js';
import { requireOption } from './refuse-usage.js';

const TENANT = '--tenant <id>';
const BY = '--by <name>';
const SUBJECTS = ['actor', 'target', 'record', 'failedIngest'] as const;

/** `outbox audit erase`. `audit`: the command that it belongs to. */
export function addAuditEraseCommand(audit: Command): void {
  explain(
    audit
      .command('erase')
      .description(
        "take a subject's content out of the audit log for good, by a signed note: place and hash stay, and all proofs hold. What else there is to do: docs/erasure.md",
      )
      .option(TENANT, 'whose records ("" for none; required)')
      .option('--actor <id>', 'records of this actor, and what is open of failed-ingest')
      .option('--target <type/id>', 'records with this target, and what is open of failed-ingest', parseTarget)
      .option('--record <id>', 'one record', parseId)
      .option('--failed-ingest <id>', 'one of failed-ingest that is open: it will not be stored any more', parseId)
      .option(BY, 'whose word that is; it stands in the signed note (required)', oneLine(200))
      .option(REASON, 'why; it stands in the signed note for ever, so nothing of the person (required)', oneLine(1_000))
      .option('--dry-run', 'count them; change nothing')
      .option('--again', 'after a restore: erase what the notes at the anchor say, without any other option')
      .option(...JSON_FLAG)
      .action(async (options, command: Command) => {
        if (!options.again) {
          requireOption(command, TENANT, options.tenant);
          const named = SUBJECTS.filter((subject) => options[subject] !== undefined);
          if (named.length !== 1) command.error('expected one of --actor, --target, --record and --failed-ingest');
          if (!options.dryRun) {
            requireOption(command, BY, options.by);
            requireOption(command, REASON, options.reason);
          }
        }
        exitWith(await (await import('../main/audit-erase.js')).runAuditErase(options));
      }),
    {
      settings: ["AUDIT_DATABASE_URL (the tables' owner's), AUDIT_SIGNING_KEYS"],
      examples: [
        'outbox audit erase --tenant acme --actor u-17 --dry-run',
        'outbox audit erase --tenant acme --actor u-17 --by "Ada Lopez" --reason "erasure request 4711"',
        'outbox audit erase --tenant acme --target user/u-17 --by "Ada Lopez" --reason "erasure request 4711"',
        'outbox audit erase --again',
      ],
    },
  );
}

function parseTarget(text: string): { type: string; id: string } {
  const [, type = '', id = ''] = /^([^/]+)\/(.+)$/s.exec(text) ?? [];
  if (type === '') throw new InvalidArgumentError('expected a type and an id, as user/u-17');
  return { type, id };
}
