import type { AuditCategory } from './audit-dto.js';

/** `ingest` of a configuration: what the api adds to the rules of DTO v1. Known to both sides, since one file holds it. */
export interface IngestConfig {
  /**
   * By action (`auth.user.signed_in`), or by action and version (`auth.user.signed_in@2`, which is the stronger one): a JSON
   * Schema, draft 2020-12, that `data` must fit as sent. Schemas are trusted code: a pattern in one may take as long as it likes.
   */
  readonly schemas?: Readonly<Record<string, object>>;
  readonly redaction?: IngestRedaction;
}

export interface RedactionNames {
  /** Names whose values are not stored, by their ending: `diagnosis` covers `lastDiagnosis`. */
  readonly keys?: readonly string[];
  /** What is cut out of texts. Global; trusted code, as schemas are. */
  readonly patterns?: readonly RegExp[];
}

/** Beside the built-in names of secrets, which are always taken out of data, changes and metadata. */
export interface IngestRedaction extends RedactionNames {
  readonly byCategory?: Partial<Readonly<Record<AuditCategory, RedactionNames>>>;
  /** By action, or by action and version, as schemas. */
  readonly byAction?: Readonly<Record<string, RedactionNames>>;
}

/** Of an action, its version given or not. */
export const ACTION_KEY_PATTERN = /^[a-z][a-z0-9]*(\.[a-z0-9_]+){1,5}(@[1-9][0-9]{0,8})?$/;

/** What a table by action has for an event: the entry for its version before the one for all versions. */
export function actionKeys({ action, actionVersion }: { action: string; actionVersion: number }): [string, string] {
  return [`${action}@${actionVersion}`, action];
}
