import type { Command } from 'commander';
import { exitWith, JSON_FLAG, oneLine, REASON } from './arguments.js';
import { addAuditEraseCommand } from './audit-erase-command.js';
import { addAuditProveExportCommand } from './audit-prove-export-command.js';
import { addAuditRetentionCommand } from './audit-retention-command.js';
import { addAuditVerifyCommand } from './audit-verify-command.js';
import { explain } from './help.js';
import { requireOption } from './refuse-usage.js';

const load = () => import('../main/audit-log.js');
const BY = '--by <name>';

/** `outbox audit …` of the log as a log: its keys, how far it is sealed and signed, whether it is whole. */
export function addAuditLogCommands(audit: Command): void {
  addAuditVerifyCommand(audit);
  addAuditProveExportCommand(audit);
  addAuditEraseCommand(audit);
  addAuditRetentionCommand(audit);
  explain(
    audit
      .command('keygen')
      .description('make a key to sign the log with: prints the secret one, then the public one')
      .option('--origin <name>', 'the name of the log, for ever: as a host and a path, without https:// (required)')
      .option(...JSON_FLAG)
      .action(async (options, command: Command) => {
        requireOption(command, '--origin <name>', options.origin);
        exitWith((await load()).runKeygen(options));
      }),
    { examples: ['outbox audit keygen --origin audit.example.com/shop'] },
  );
  explain(
    audit
      .command('status')
      .description('how many records wait to be sealed, how old the newest checkpoint is, and who holds it up')
      .option(...JSON_FLAG)
      .action(async (options) => exitWith(await (await load()).runAuditStatus(options))),
    { settings: ['AUDIT_DATABASE_URL'], examples: ['outbox audit status', 'outbox audit status --json'] },
  );
  explain(
    audit
      .command('adopt')
      .description('accept that sealed records are lost: the log is signed on, as a branch with a name of its own')
      .option('--lost', 'the records are lost for good (required)')
      .option(BY, 'whose word that is (required)', oneLine(200))
      .option(REASON, 'why, for whoever verifies the log later (required)', oneLine(1_000))
      .option(...JSON_FLAG)
      .action(async (options, command: Command) => {
        requireOption(command, '--lost', options.lost);
        requireOption(command, BY, options.by);
        requireOption(command, REASON, options.reason);
        exitWith(await (await load()).runAuditAdopt(options));
      }),
    {
      settings: ['AUDIT_DATABASE_URL, AUDIT_SIGNING_KEYS'],
      examples: ['outbox audit adopt --lost --by "Ada Lopez" --reason "restored to 10:04 after the disk failed"'],
    },
  );
}
