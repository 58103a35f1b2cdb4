import { CATEGORIES } from '../../contract/audit-dto.js';
import { ACTION_KEY_PATTERN } from '../../contract/ingest-config.js';
import { findUnknown, isTable, namesProblems } from '../redaction/redaction-config.js';

/**
 * What is wrong with the `ingest` of a configuration, as far as its form goes: the api, which uses it, compiles the schemas
 * and refuses to start with one that does not.
 */
export function ingestProblems(ingest: unknown): string[] {
  if (ingest === undefined) return [];
  if (!isTable(ingest)) return ['ingest: expected an object { schemas?, redaction? }'];
  const { schemas = {}, redaction = {} } = ingest;
  return [
    ...findUnknown('ingest', ingest, ['schemas', 'redaction']),
    ...(isTable(schemas)
      ? Object.entries(schemas).flatMap(([key, schema]) => [
          ...actionProblems('ingest.schemas', key),
          ...(isTable(schema) ? [] : [`ingest.schemas["${key}"]: expected a JSON Schema, an object`]),
        ])
      : ['ingest.schemas: expected an object of JSON Schemas by action']),
    ...(isTable(redaction) ? redactionProblems(redaction) : ['ingest.redaction: expected an object']),
  ];
}

function redactionProblems(redaction: Record<string, unknown>): string[] {
  const where = 'ingest.redaction';
  const known = (key: string) =>
    (CATEGORIES as readonly string[]).includes(key)
      ? []
      : [`${where}.byCategory["${key}"]: unknown; known are ${CATEGORIES.join(', ')}`];
  return [
    ...findUnknown(where, redaction, ['keys', 'patterns', 'byCategory', 'byAction']),
    ...namesProblems(where, redaction),
    ...tableProblems(`${where}.byCategory`, redaction.byCategory, known),
    ...tableProblems(`${where}.byAction`, redaction.byAction, (key) => actionProblems(`${where}.byAction`, key)),
  ];
}

function tableProblems(where: string, table: unknown, keyProblems: (key: string) => string[]): string[] {
  if (table === undefined) return [];
  if (!isTable(table)) return [`${where}: expected an object of { keys?, patterns? }`];
  return Object.entries(table).flatMap(([key, rules]) => {
    const at = `${where}["${key}"]`;
    if (!isTable(rules)) return [...keyProblems(key), `${at}: expected an object { keys?, patterns? }`];
    return [...keyProblems(key), ...findUnknown(at, rules, ['keys', 'patterns']), ...namesProblems(at, rules)];
  });
}

function actionProblems(where: string, key: string): string[] {
  if (ACTION_KEY_PATTERN.test(key)) return [];
  return [`${where}["${key}"]: expected an action, such as auth.user.signed_in, or one with its version: …@2`];
}
