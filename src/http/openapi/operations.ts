import { auditOperations } from './audit.js';
import { blockedAggregateOperations } from './blocked-aggregates.js';
import { bookOperations } from './books.js';
import { deadLetterOperations } from './dead-letters.js';
import { destinationOperations } from './destinations.js';
import { buildDocument, type OpenApiDocument } from './document.js';
import { failedIngestOperations } from './failed-ingest.js';
import { logOperations } from './log.js';
import type { Operation } from './operation.js';
import { probeOperations } from './probes.js';
import { recordOperations } from './records.js';
import { redriveJobOperations } from './redrive-jobs.js';
import { referenceOperations } from './reference.js';

const ALWAYS: readonly Operation[] = [
  ...auditOperations,
  ...recordOperations,
  ...logOperations,
  ...failedIngestOperations,
  ...probeOperations,
  ...referenceOperations,
];
/** Of the delivery's operations API. */
const OPS: readonly Operation[] = [
  ...deadLetterOperations,
  ...redriveJobOperations,
  ...destinationOperations,
  ...bookOperations,
  ...blockedAggregateOperations,
];

/** Of the HTTP surface; the version of the package is another. */
const API_VERSION = '1.0.0';

/** What an api serves, with or without the operations API. */
export function describeApi({ ops }: { readonly ops: boolean }): OpenApiDocument {
  return buildDocument(ops ? [...ALWAYS, ...OPS] : ALWAYS, API_VERSION);
}
