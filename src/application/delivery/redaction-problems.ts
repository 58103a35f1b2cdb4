import { findUnknown, isTable, nameListProblems, namesProblems } from '../redaction/redaction-config.js';
import type { EventRedaction } from './mappers/redact-payload.js';

const KEYS = ['keys', 'patterns', 'personalData', 'byEventType'] as const satisfies readonly (keyof EventRedaction)[];

/** What is wrong with the `redaction` of a configuration, one problem an entry. */
export function redactionProblems(redaction: unknown): string[] {
  if (redaction === undefined) return [];
  if (!isTable(redaction)) return ['redaction: expected an object { keys?, patterns?, personalData?, byEventType? }'];
  const { personalData = true, byEventType = {} } = redaction;
  return [
    ...findUnknown('redaction', redaction, KEYS),
    ...namesProblems('redaction', redaction),
    ...(typeof personalData === 'boolean' ? [] : ['redaction.personalData: expected true or false']),
    ...(isTable(byEventType)
      ? Object.entries(byEventType).flatMap(([type, rule]) => typeProblems(`redaction.byEventType["${type}"]`, rule))
      : ['redaction.byEventType: expected an object of { keep? | drop? } by event type']),
  ];
}

function typeProblems(where: string, rule: unknown): string[] {
  if (!isTable(rule) || (rule.keep === undefined && rule.drop === undefined)) {
    return [`${where}: expected { keep: [fields] }, { drop: [names] } or both`];
  }
  return [
    ...findUnknown(where, rule, ['keep', 'drop']),
    ...(rule.keep === undefined ? [] : nameListProblems(`${where}.keep`, rule.keep)),
    ...(rule.drop === undefined ? [] : nameListProblems(`${where}.drop`, rule.drop)),
  ];
}
