import type { Command } from 'commander';
import { CONFIG, exitWith, JSON_FLAG } from './arguments.js';
import { explain } from './help.js';

export function addDoctorCommand(program: Command): void {
  explain(
    program
      .command('doctor')
      .description(
        'looks at schema, indexes, bloat, snapshots, autovacuum, Temporal, clocks, processes and settings, and says what ' +
          'to do; changes nothing. Exit code 1 where something is wrong, 69 where nothing is but that a part is away or ' +
          'could not be looked at',
      )
      .option('--strict', 'exit code 1 for warnings, too')
      .option(...CONFIG)
      .option(...JSON_FLAG)
      .action(async (options) => exitWith(await (await import('../main/doctor.js')).runDoctor(options))),
    {
      settings: [
        'OUTBOX_DATABASE_URL',
        'those of the processes it is to speak for: AUDIT_DATABASE_URL, OUTBOX_AUDIT_API_KEY, TEMPORAL_ADDRESS, …',
      ],
      examples: [
        'outbox doctor                 # docs/doctor.md says more of each check',
        'outbox doctor --strict        # after an upgrade',
        'outbox doctor --json | jq \'.checks[] | select(.state != "ok")\'',
      ],
    },
  );
}
