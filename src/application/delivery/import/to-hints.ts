import { z } from 'zod';
import {
  ACTOR_TYPES,
  AUDIT_LIMITS,
  CATEGORIES,
  OPERATIONS,
  OUTCOMES,
  SEVERITIES,
} from '../../../contract/audit-dto.js';
import { cutText } from '../../../contract/fit-text.js';
import type { Action } from '../../../contract/to-action.js';
import type { AuditHintActor, AuditHints, AuditHintTarget } from '../../../domain/delivery/audit-hints.js';
import type { JsonObject, JsonValue } from '../../../domain/delivery/json.js';
import { cutIdentifier } from '../mappers/cut-identifier.js';
import { applyRule, holds, type ImportMapping, type Rule, readPointer, type TargetRule } from './mapping.js';
import type { ChangedPaths, ImportHeader } from './ports.js';

/** The audit record that a foreign event asks for, by its mapping, cut to the limits of the audit DTO. */
export function toHints(
  original: JsonObject,
  mapping: ImportMapping,
  action: Action,
  provenance: ImportHeader,
): AuditHints {
  const read = (rule: Rule | undefined) => applyRule(rule, original);
  const outcomeReason = clean(read(mapping.outcomeReason), AUDIT_LIMITS.outcomeReason);
  const severity = oneOf(SEVERITIES, read(mapping.severity), undefined);
  const actor = toActor(original, mapping);
  const context = toContext(original, mapping);
  return {
    ...action,
    category: oneOf(CATEGORIES, read(mapping.category), 'other'),
    operation: oneOf(OPERATIONS, read(mapping.operation), 'other'),
    outcome: oneOf(OUTCOMES, read(mapping.outcome), 'unknown'),
    ...(outcomeReason !== undefined && { outcomeReason }),
    ...(severity !== undefined && { severity }),
    ...(actor !== undefined && { actor }),
    targets: mapping.targets.flatMap((rule) => toTargets(original, rule)).slice(0, AUDIT_LIMITS.targets),
    ...(Object.keys(context).length > 0 && { context }),
    metadata: { ...toMetadata(mapping.metadata, original), ...describeImport(provenance) },
  };
}

function toActor(original: JsonObject, mapping: ImportMapping): AuditHintActor | undefined {
  const rules = mapping.actor;
  if (rules === undefined) return undefined;
  const type = applyRule(rules.type, original);
  const id = cleanId(applyRule(rules.id, original), AUDIT_LIMITS.actorId);
  if (id === undefined && type === undefined) return undefined;
  const name = clean(applyRule(rules.name, original), AUDIT_LIMITS.name);
  const sessionId = cleanId(applyRule(rules.sessionId, original), AUDIT_LIMITS.sessionId);
  const metadata = toMetadata(rules.metadata, original);
  return {
    type: id === undefined ? 'anonymous' : oneOf(ACTOR_TYPES, type, 'user'),
    ...(id !== undefined && { id }),
    ...(name !== undefined && { name }),
    ...(sessionId !== undefined && { sessionId }),
    ...(Object.keys(metadata).length > 0 && { metadata }),
  };
}

function toTargets(original: JsonObject, rule: TargetRule): AuditHintTarget[] {
  if (rule.when !== undefined && !holds(rule.when, original)) return [];
  const list = rule.each === undefined ? [null] : readPointer(original, rule.each);
  if (!Array.isArray(list)) return [];
  return list.slice(0, AUDIT_LIMITS.targets).flatMap((item: JsonValue) => {
    const type = cleanId(applyRule(rule.type, original, item), AUDIT_LIMITS.targetType);
    const id = cleanId(applyRule(rule.id, original, item), AUDIT_LIMITS.targetId);
    if (type === undefined || id === undefined) return [];
    const name = clean(applyRule(rule.name, original, item), AUDIT_LIMITS.name);
    const metadata = toMetadata(rule.metadata, original, item);
    return [{ type, id, ...(name !== undefined && { name }), ...(Object.keys(metadata).length > 0 && { metadata }) }];
  });
}

const ipSchema = z.union([z.ipv4(), z.ipv6()]);

function toContext(original: JsonObject, mapping: ImportMapping): NonNullable<AuditHints['context']> {
  const rules = mapping.context;
  const ip = ipSchema.safeParse(applyRule(rules?.ip, original));
  const userAgent = clean(applyRule(rules?.userAgent, original), AUDIT_LIMITS.userAgent);
  const location = clean(applyRule(rules?.location, original), AUDIT_LIMITS.location);
  const requestId = clean(applyRule(rules?.requestId, original), AUDIT_LIMITS.requestId);
  return {
    ...(ip.success && { ip: ip.data }),
    ...(userAgent !== undefined && { userAgent }),
    ...(location !== undefined && { location }),
    ...(requestId !== undefined && { requestId }),
  };
}

/** So that the record itself says where it came from and what was changed. */
function describeImport(provenance: ImportHeader): Record<string, string | number | boolean> {
  const { sourceEventId, timeMissing, truncated } = provenance;
  const describe = (changed: ChangedPaths | undefined) =>
    changed && cutText(listPaths(changed), AUDIT_LIMITS.metadataValue);
  const described = {
    importMapping: provenance.mapping,
    sourceEventId: clean(sourceEventId, AUDIT_LIMITS.metadataValue),
    timeMissing,
    truncated,
    numbersAsStrings: describe(provenance.numbersAsStrings),
    escaped: describe(provenance.escaped),
    deepAsText: describe(provenance.deepAsText),
    repeatedKeys: describe(provenance.repeatedKeys),
  };
  return Object.fromEntries(
    Object.entries(described).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
  );
}

function listPaths({ count, paths }: ChangedPaths): string {
  return count > paths.length ? `(+${count - paths.length}) ${paths.join(' ')}` : paths.join(' ');
}

const METADATA_VALUE = 200;

function toMetadata(
  rules: Readonly<Record<string, Rule>> | undefined,
  original: JsonObject,
  item: JsonValue = null,
): Record<string, string> {
  const entries = Object.entries(rules ?? {}).flatMap(([key, rule]) => {
    const value = clean(applyRule(rule, original, item), METADATA_VALUE);
    return value === undefined ? [] : [[key, value] as const];
  });
  return Object.fromEntries(entries);
}

function oneOf<T extends string, F>(values: readonly T[], value: string | undefined, otherwise: F): T | F {
  return values.find((candidate) => candidate === value) ?? otherwise;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it makes visible
const CONTROLS = /[\u0000-\u001f\u007f-\u009f]/g;

function clean(text: string | undefined, max: number): string | undefined {
  return text === undefined ? undefined : cutText(showControls(text), max);
}

/** What tells one thing from another must still do so when it is cut. */
function cleanId(text: string | undefined, max: number): string | undefined {
  return text === undefined ? undefined : cutIdentifier(showControls(text), max);
}

function showControls(text: string): string {
  return text.replace(CONTROLS, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
