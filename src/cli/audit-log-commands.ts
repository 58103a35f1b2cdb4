import { type Command, InvalidArgumentError } from 'commander';
import { exitWith, JSON_FLAG, REASON } from './arguments.js';
import { explain } from './help.js';
import { requireOption } from './refuse-usage.js';

const load = () => import('../main/audit-log.js');
const BY = '--by <name>';

/** `outbox audit …` of the log as a log: its keys, how far it is sealed and signed. */
export function addAuditLogCommands(audit: Command): void {
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

/** What stands in a signed note is one line of it. */
function oneLine(longest: number): (text: string) => string {
  return (text) => {
    if (!/^[^\p{Cc}\p{Zl}\p{Zp}]+$/u.test(text) || text.length > longest || !text.isWellFormed()) {
      throw new InvalidArgumentError(
        `expected 1 to ${longest} characters on one line, none of them a control character`,
      );
    }
    return text;
  };
}
