import type { Command } from 'commander';
import { exitWith, JSON_FLAG, parseId, wholeUpTo } from './arguments.js';
import { explain } from './help.js';

/** `outbox audit verify`. `audit`: the command that it belongs to. */
export function addAuditVerifyCommand(audit: Command): void {
  explain(
    audit
      .command('verify')
      .description(
        'whether the records are those that were sealed and signed: the whole log, some leaves, one record. Changes nothing; exit code 1 when anything does not hold, with the first of it named',
      )
      .option('--record <id>', 'the seal of one record', parseId)
      .option('--from <index>', 'the first leaf', wholeUpTo(9_999_999_999))
      .option('--to <index>', 'behind the last leaf', wholeUpTo(9_999_999_999))
      .option('--anchor <file>', 'the anchor, where it is not the one that AUDIT_ANCHOR_FILE names')
      .option('--key <vkey...>', 'public keys of the log, instead of those of the settings')
      .option(...JSON_FLAG)
      .action(async (options) => exitWith(await (await import('../main/audit-verify.js')).runAuditVerify(options))),
    {
      settings: ['AUDIT_DATABASE_URL', 'AUDIT_SIGNING_KEYS or AUDIT_VERIFIER_KEYS, or --key'],
      examples: [
        'outbox audit verify',
        'outbox audit verify --record 0198c0de-0000-7000-8000-000000000001',
        'outbox audit verify --from 1000000 --to 1200000 --anchor /mnt/worm/audit.ndjson --json',
      ],
    },
  );
}
