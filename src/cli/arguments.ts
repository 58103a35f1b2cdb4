/** What several commands take, and how the text of an option becomes a value. */
import { InvalidArgumentError } from 'commander';

export const JSON_FLAG = ['--json', 'print one JSON document'] as const;
export const CONFIG = [
  '--config <file>',
  'your configuration (default: ./temporal-outbox.config.ts, where there is one)',
] as const;
export const REASON = '--reason <text>';
export const ACTOR = ['--actor <name>', 'who asks (default: the user of this process)', textUpTo(200)] as const;

export function wholeUpTo(maximum: number, minimum = 0): (text: string) => number {
  return (text) => {
    if (/^\d{1,10}$/.test(text) && Number(text) <= maximum && Number(text) >= minimum) return Number(text);
    throw new InvalidArgumentError(`expected a whole number from ${minimum} to ${maximum}, got "${text}"`);
  };
}

export function parseId(text: string): string {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) throw new InvalidArgumentError('expected a UUID');
  return text.toLowerCase();
}

export function parseTime(text: string): string {
  const date = new Date(text);
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)$/.test(text) || Number.isNaN(date.getTime())) {
    throw new InvalidArgumentError('expected a time like 2026-11-23T09:30:00Z (RFC 3339, with a zone)');
  }
  return date.toISOString();
}

/** For an argument that may be given several times. */
export function collectIds(id: string, ids: string[] | undefined): string[] {
  return [...(ids ?? []), parseId(id)];
}

export function textUpTo(longest: number): (text: string) => string {
  return (text) => {
    if (text.length < 1 || text.length > longest) throw new InvalidArgumentError(`expected 1 to ${longest} characters`);
    return text;
  };
}

/** What stands in a signed note is one line of it. */
export function oneLine(longest: number): (text: string) => string {
  return (text) => {
    if (!/^[^\p{Cc}\p{Zl}\p{Zp}]+$/u.test(text) || text.length > longest || !text.isWellFormed()) {
      throw new InvalidArgumentError(
        `expected 1 to ${longest} characters on one line, none of them a control character`,
      );
    }
    return text;
  };
}

export function exitWith(code: number): void {
  process.exitCode = code;
}
