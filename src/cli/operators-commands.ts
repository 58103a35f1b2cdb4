import { type Command, InvalidArgumentError, Option } from 'commander';
import { exitWith, JSON_FLAG } from './arguments.js';
import { explain } from './help.js';
import { requireOption } from './refuse-usage.js';

const SETTINGS = ['AUDIT_DATABASE_URL'];
const ROLES = ['watcher', 'viewer', 'operator'] as const;
const PASSWORD =
  'the password is typed twice at the terminal, which does not show it, or is the only line of standard input';
const load = () => import('../main/operators.js');

/** `outbox operators …`: people who sign in to the monitor. API keys do, too, and need nothing here. */
export function addOperatorsCommands(program: Command): void {
  const operators = program
    .command('operators')
    .description('people who sign in to the monitor by name and password; API keys need nothing here');
  explain(operators, {
    settings: SETTINGS,
    examples: ['outbox operators add alice --role operator', 'outbox operators list'],
  });
  explain(
    operators
      .command('add')
      .description(`let somebody in, who was disabled, too; ${PASSWORD}`)
      .argument('<name>', 'what they sign in as', parseName)
      .addOption(
        new Option(
          '--role <role>',
          'a watcher sees how deliveries stand, and no record of the audit log; a viewer sees all and changes nothing; an operator redrives, edits, discards and pauses (required)',
        ).choices([...ROLES]),
      )
      .option(...JSON_FLAG)
      .action(async (name: string, options, command: Command) => {
        requireOption(command, '--role <role>', options.role);
        exitWith(await (await load()).runAddOperator(name, options));
      }),
    {
      settings: SETTINGS,
      examples: [
        'outbox operators add alice --role operator',
        'outbox operators add wall-screen --role watcher < password.txt',
      ],
    },
  );
  explain(
    operators
      .command('list')
      .description('all of them by name, without anything that is secret')
      .option(...JSON_FLAG)
      .action(async (options) => exitWith(await (await load()).runListOperators(options))),
    { settings: SETTINGS, examples: ['outbox operators list', 'outbox operators list --json'] },
  );
  explain(
    operators
      .command('password')
      .description(`give somebody another password, which ends their sessions; ${PASSWORD}`)
      .argument('<name>', 'of the list', parseName)
      .option(...JSON_FLAG)
      .action(async (name: string, options) => exitWith(await (await load()).runOperatorPassword(name, options))),
    { settings: SETTINGS, examples: ['outbox operators password alice'] },
  );
  explain(
    operators
      .command('role')
      .description('make somebody a watcher, a viewer or an operator, in open sessions within seconds')
      .argument('<name>', 'of the list', parseName)
      .argument('<role>', ROLES.join(', '), parseRole)
      .option(...JSON_FLAG)
      .action(async (name: string, role: (typeof ROLES)[number], options) =>
        exitWith(await (await load()).runOperatorRole(name, role, options)),
      ),
    { settings: SETTINGS, examples: ['outbox operators role alice viewer'] },
  );
  explain(
    operators
      .command('disable')
      .description('let somebody in no more, and end their sessions within seconds; again changes nothing')
      .argument('<name>', 'of the list', parseName)
      .option(...JSON_FLAG)
      .action(async (name: string, options) => exitWith(await (await load()).runDisableOperator(name, options))),
    { settings: SETTINGS, examples: ['outbox operators disable alice'] },
  );
}

function parseName(text: string): string {
  if (/^[a-z0-9][a-z0-9._@-]{0,63}$/.test(text)) return text;
  throw new InvalidArgumentError('expected 1 to 64 of a-z, 0-9, ".", "_", "@" and "-", a letter or digit first');
}

function parseRole(text: string): (typeof ROLES)[number] {
  const role = ROLES.find((one) => one === text);
  if (role !== undefined) return role;
  throw new InvalidArgumentError(`expected one of ${ROLES.join(', ')}, got "${text}"`);
}
