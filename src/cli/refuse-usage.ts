import type { Command, CommanderError } from 'commander';
import { UsageError } from '../main/usage-error.js';

/** Makes every error that commander finds in a command line a UsageError that names the command; prints nothing itself. */
export function refuseUsage(command: Command): void {
  command.configureOutput({ outputError: () => undefined });
  command.exitOverride((error: CommanderError) => {
    // Help and version are no errors, but for help that stands for a missing sub-command; it was printed by then.
    if (error.code === 'commander.help' && error.exitCode !== 0)
      throw new UsageError('expected a command', { command: pathOf(command) });
    if (error.exitCode === 0) throw error;
    throw new UsageError(error.message.replace(/^error: /, '').replaceAll('\n', ' '), { command: pathOf(command) });
  });
  for (const child of command.commands) refuseUsage(child);
}

/** An option that must be there. Not commander's own, which is missed before a mistyped one is named. */
export function requireOption(command: Command, option: string, value: unknown): void {
  if (value === undefined) command.error(`required option '${option}' is missing`);
}

function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}
