import type { AuditEvent } from '../../contract/audit-dto.js';
import { actionKeys, type IngestRedaction, type RedactionNames } from '../../contract/ingest-config.js';
import { REDACTED } from '../../domain/redaction/mask.js';
import { redactJson } from '../../domain/redaction/redact-json.js';
import { sensitiveNames } from '../../domain/redaction/sensitive-names.js';
import { type SecretsRedactor, withoutSecrets } from '../redaction/without-secrets.js';

/**
 * What may be stored of an event: without the values under the built-in names of secrets, whatever is configured, and
 * without what the rules for all events, its category and its action add. Twice is the same as once.
 */
export function createIngestRedaction(rules: IngestRedaction): (event: AuditEvent) => AuditEvent {
  const known = new Map<string, SecretsRedactor>();
  return (event) => {
    const keys = actionKeys(event);
    const byAction = keys.find((key) => Object.hasOwn(rules.byAction ?? {}, key));
    const id = `${event.category} ${byAction ?? ''}`;
    const redactor =
      known.get(id) ??
      combine(
        rules,
        rules.byCategory?.[event.category],
        byAction === undefined ? undefined : rules.byAction?.[byAction],
      );
    known.set(id, redactor); // as many as there are rules, whatever is sent
    return withoutSecrets(event, redactor);
  };
}

function combine(...rules: readonly (RedactionNames | undefined)[]): SecretsRedactor {
  const given = rules.filter((rule) => rule !== undefined);
  const { isSecret } = sensitiveNames(
    given.flatMap(({ keys = [] }) => keys),
    false,
  );
  const patterns = given.flatMap(({ patterns = [] }) => patterns).map(({ source, flags }) => new RegExp(source, flags));
  const text = (whole: string) => patterns.reduce((left, pattern) => cutOut(left, pattern), whole);
  return { isSecretName: isSecret, withoutSecrets: (value) => redactJson(value, { hides: isSecret, text }) };
}

/** A pattern that fails (an exhausted stack, say) hides everything rather than nothing. */
function cutOut(text: string, pattern: RegExp): string {
  try {
    return text.replace(pattern, REDACTED);
  } catch {
    return REDACTED;
  }
}
