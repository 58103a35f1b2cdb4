import type { AuditEvent, FieldProblem } from '../../contract/audit-dto.js';
import type { IngestConfig } from '../../contract/ingest-config.js';
import { compileEventSchemas } from './event-schemas.js';
import { createIngestRedaction } from './ingest-redaction.js';

/** What a configuration adds to the DTO's own rules, for every event whoever sends it. */
export interface IngestRules {
  /** What does not fit the schema of the event's action; nothing where it has none. */
  readonly check: (event: AuditEvent) => readonly FieldProblem[];
  /** The event as it may be stored. What has nothing to hide comes back as it is. */
  readonly redact: (event: AuditEvent) => AuditEvent;
}

/** @throws EventSchemaError naming every action whose schema does not compile */
export function createIngestRules({ schemas = {}, redaction = {} }: IngestConfig = {}): IngestRules {
  return { check: compileEventSchemas(schemas), redact: createIngestRedaction(redaction) };
}
