import type { JsonObject, JsonValue } from '../../../domain/delivery/json.js';

/**
 * How one foreign format becomes an audit event: data only, so that a new format is a new table and no new code.
 * A rule yields text or nothing. A string is a JSON Pointer (RFC 6901) into the event, or with a leading `@` into the item
 * of the target's `each`; it yields a non-empty string, number or boolean as text, and nothing for what is absent, null,
 * empty, an object or an array. Regular expressions read the first 256 Ki units of a text, in steps that grow no faster than it.
 */
export type Rule =
  | string
  | { readonly const: string }
  /** The first that yields. */
  | { readonly first: readonly Rule[] }
  /** All parts, or nothing when one is missing. */
  | { readonly join: readonly Rule[]; readonly with: string }
  /** The first group of a regular expression. */
  | { readonly of: Rule; readonly pick: string }
  /** The value beside the first regular expression that matches (case is ignored). */
  | { readonly of: Rule; readonly cases: readonly (readonly [pattern: string, value: string])[] };

/** Holds where the rule yields a text that the regular expression matches. */
export interface Condition {
  readonly of: Rule;
  readonly matches: string;
}

export interface TargetRule {
  readonly when?: Condition;
  /** Pointer to an array: one target for each item. */
  readonly each?: string;
  readonly type: Rule;
  /** A target whose id yields nothing is left out. */
  readonly id: Rule;
  readonly name?: Rule;
  readonly metadata?: Readonly<Record<string, Rule>>;
}

export interface ImportMapping {
  readonly name: string;
  /** One line for `outbox import --help`. */
  readonly title: string;
  /**
   * What no other format has: a line of which every rule holds may be taken for this one without being told so. The default
   * mapping has none.
   */
  readonly recognizes?: readonly Condition[];
  /** What identifies the event at its source for good. Without one, the line itself is the identity. */
  readonly id?: Rule;
  readonly source: Rule;
  /** `assumedZone`: the zone that the vendor documents for times written without one, as `Z` or `+hh:mm`. */
  readonly time: { readonly at: Rule; readonly assumedZone?: string };
  /** Any text; made an action name by `toAction`. */
  readonly action: Rule;
  readonly category: Rule;
  readonly operation: Rule;
  readonly outcome: Rule;
  readonly outcomeReason?: Rule;
  readonly severity?: Rule;
  /** Nothing for the id: anonymous where the type is known, else no actor at all (the mapper then names the source). */
  readonly actor?: {
    readonly type: Rule;
    readonly id: Rule;
    readonly name?: Rule;
    readonly sessionId?: Rule;
    readonly metadata?: Readonly<Record<string, Rule>>;
  };
  readonly targets: readonly TargetRule[];
  readonly context?: {
    readonly ip?: Rule;
    readonly userAgent?: Rule;
    readonly location?: Rule;
    readonly requestId?: Rule;
  };
  readonly metadata?: Readonly<Record<string, Rule>>;
}

export function applyRule(rule: Rule | undefined, event: JsonObject, item: JsonValue = null): string | undefined {
  if (rule === undefined) return undefined;
  if (typeof rule === 'string') {
    return rule.startsWith('@') ? readText(item, rule.slice(1)) : readText(event, rule);
  }
  if ('const' in rule) return rule.const;
  if ('first' in rule) {
    for (const candidate of rule.first) {
      const text = applyRule(candidate, event, item);
      if (text !== undefined) return text;
    }
    return undefined;
  }
  if ('join' in rule) {
    const parts = rule.join.map((part) => applyRule(part, event, item));
    return parts.every((part) => part !== undefined) ? parts.join(rule.with) : undefined;
  }
  const text = matched(applyRule(rule.of, event, item));
  if (text === undefined) return undefined;
  if ('pick' in rule) return new RegExp(rule.pick).exec(text)?.[1];
  return rule.cases.find(([pattern]) => new RegExp(pattern, 'i').test(text))?.[1];
}

export function holds({ of, matches }: Condition, event: JsonObject): boolean {
  const text = matched(applyRule(of, event));
  return text !== undefined && new RegExp(matches).test(text);
}

/** A pattern reads no more of a text: on 16 MiB a group that repeats would exhaust the stack. */
const LONGEST_MATCHED = 256 * 1_024;

function matched(text: string | undefined): string | undefined {
  return text?.slice(0, LONGEST_MATCHED);
}

/** The value at a JSON Pointer; undefined where there is none. Reads own members only. */
export function readPointer(value: JsonValue, pointer: string): JsonValue | undefined {
  let current: JsonValue | undefined = value;
  for (const segment of pointer.split('/').slice(1)) {
    const key = segment.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof current !== 'object' || current === null || !Object.hasOwn(current, key)) return undefined;
    current = (current as JsonObject)[key];
  }
  return current;
}

function readText(value: JsonValue, pointer: string): string | undefined {
  const found = readPointer(value, pointer);
  if (typeof found === 'number' || typeof found === 'boolean') return String(found);
  return typeof found === 'string' && found.trim() !== '' ? found.trim() : undefined;
}
