import type { Command } from 'commander';
import { exitWith, JSON_FLAG } from './arguments.js';
import { explain } from './help.js';

/** `outbox audit retention`. `audit`: the command that it belongs to. */
export function addAuditRetentionCommand(audit: Command): void {
  explain(
    audit
      .command('retention')
      .description(
        'drop the months that are past AUDIT_RETENTION_MONTHS now, which a worker does by itself: only what is as it was sealed, and anchored. Exit code 1 when a month that is due is kept',
      )
      .option('--dry-run', 'look at every record of them; drop nothing')
      .option(...JSON_FLAG)
      .action(async (options) =>
        exitWith(await (await import('../main/audit-retention.js')).runAuditRetention(options)),
      ),
    {
      settings: ['AUDIT_DATABASE_URL, AUDIT_SIGNING_KEYS, AUDIT_ANCHOR_FILE, AUDIT_RETENTION_MONTHS'],
      examples: ['outbox audit retention --dry-run', 'outbox audit retention --json'],
    },
  );
}
