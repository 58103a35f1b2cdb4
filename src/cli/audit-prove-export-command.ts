import type { Command } from 'commander';
import { exitWith } from './arguments.js';
import { explain } from './help.js';

/** `outbox audit prove-export`. `audit`: the command that it belongs to. */
export function addAuditProveExportCommand(audit: Command): void {
  explain(
    audit
      .command('prove-export')
      .description(
        'records with their proofs against the newest checkpoint, one JSON document a line: outbox-verify.mjs of this package, and a public key, prove them without this database. A tenant’s export proves its records, not that none is missing',
      )
      .option('--tenant <id>', 'of one tenant ("" for none). Default: all, which can be proven to be complete')
      .action(async (options) =>
        exitWith(await (await import('../main/audit-prove-export.js')).runAuditProveExport(options)),
      ),
    {
      settings: ['AUDIT_DATABASE_URL'],
      examples: [
        'outbox audit prove-export > log.ndjson',
        'outbox audit prove-export --tenant acme > acme.ndjson',
        'node node_modules/temporal-outbox/dist/src/offline/outbox-verify.mjs log.ndjson --origin NAME --key VKEY',
      ],
    },
  );
}
