/** What `--help` says below the options. */
import type { Command } from 'commander';
import { EXIT } from '../main/exit-codes.js';

/** Examples, and the settings without which the command does not start (a test holds them against the table of settings). */
export function explain(
  command: Command,
  text: { examples: readonly string[]; settings?: readonly string[] },
): Command {
  const { examples, settings = [] } = text;
  const needs = settings.length === 0 ? '' : `\nNeeds these environment variables:\n${indent(settings)}\n`;
  return command.addHelpText('after', `${needs}\nExamples:\n${indent(examples)}`);
}

const MEANINGS = {
  done: 'done, or stopped by SIGTERM or SIGINT within the grace',
  failed:
    'failed, or the answer is no (`doctor`, `status --check`, `books`, `migrate status`, `audit verify` and others): then it\n     stands on standard output',
  usage: 'the command line does not fit',
  refused: '`import`: some lines were refused and named, the rest is in',
  noInput: '`import`: no such file',
  unavailable: 'a database or Temporal is away: the same command may succeed later',
  configuration:
    'a setting does not fit, or what it names: a wrong password, another deployment,\n     a database that is not migrated',
  interrupted: '`import`, `dev`, `verify`: stopped by a signal before the end',
} satisfies Record<keyof typeof EXIT, string>;

/** For all commands alike. */
export const EPILOGUE = `
Settings are environment variables; .env.example in the package lists them all. No .env file is read by itself:
  node --env-file=.env node_modules/.bin/outbox relay

With --json standard output is one JSON document, the result, or nothing (of status --watch: one a line); on standard error each line is one:
  {"error": {"kind", "exitCode", "message", "problems"}}, {"note"} or, of an import, {"refused": {"line", "reason"}}

OUTBOX_LOG_LEVEL=debug shows where an error came from.

Exit codes:
${Object.entries(MEANINGS)
  .map(
    ([kind, meaning]) =>
      `  ${String(EXIT[kind as keyof typeof EXIT]).padEnd(3)}  ${meaning.replace('     ', '       ')}`,
  )
  .join('\n')}

outbox help COMMAND, or outbox COMMAND --help, says more, with examples.`;

function indent(lines: readonly string[]): string {
  return lines.map((line) => `  ${line}`).join('\n');
}
