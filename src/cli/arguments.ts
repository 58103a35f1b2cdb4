/** What the commands share: how arguments are read, how help shows examples, how a command ends. */
import { InvalidArgumentError } from 'commander';

export const JSON_OPTION = ['--json', 'print one JSON document', false] as const;

export function parseId(text: string): string {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) throw new InvalidArgumentError('expected a UUID');
  return text.toLowerCase();
}

export function parseIds(text: string, ids: readonly string[] | undefined): string[] {
  return [...(ids ?? []), parseId(text)];
}

export function parseLimit(text: string): number {
  if (!/^\d{1,3}$/.test(text) || Number(text) < 1 || Number(text) > 200) {
    throw new InvalidArgumentError('expected a whole number from 1 to 200');
  }
  return Number(text);
}

export function parseText(longest: number) {
  return (text: string): string => {
    if (text.length < 1 || text.length > longest) throw new InvalidArgumentError(`expected 1 to ${longest} characters`);
    return text;
  };
}

export function wholeUpTo(maximum: number): (text: string) => number {
  return (text) => {
    if (/^\d{1,10}$/.test(text) && Number(text) <= maximum) return Number(text);
    throw new InvalidArgumentError(`expected a whole number up to ${maximum}, got "${text}"`);
  };
}

export function exitWith(code: number): void {
  process.exitCode = code;
}

export function examples(...lines: string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join('\n')}`;
}
