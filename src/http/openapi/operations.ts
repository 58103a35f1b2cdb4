import { auditOperations } from './audit.js';
import { blockedAggregateOperations } from './blocked-aggregates.js';
import { bookOperations } from './books.js';
import { deadLetterOperations } from './dead-letters.js';
import { destinationOperations } from './destinations.js';
import { buildDocument, type OpenApiDocument } from './document.js';
import { eventOperations } from './events.js';
import { failedIngestOperations } from './failed-ingest.js';
import { logOperations } from './log.js';
import { monitorOperations } from './monitor.js';
import type { Operation } from './operation.js';
import { overviewOperations } from './overview.js';
import { policyOperations } from './policies.js';
import { probeOperations } from './probes.js';
import { recordOperations } from './records.js';
import { redriveJobOperations } from './redrive-jobs.js';
import { referenceOperations } from './reference.js';
import { verificationOperations } from './verifications.js';

const ALWAYS: readonly Operation[] = [
  ...auditOperations,
  ...recordOperations,
  ...logOperations,
  ...verificationOperations,
  ...failedIngestOperations,
  ...probeOperations,
  ...referenceOperations,
];
/** Of the delivery's operations API. */
const OPS: readonly Operation[] = [
  ...overviewOperations,
  ...eventOperations,
  ...deadLetterOperations,
  ...redriveJobOperations,
  ...destinationOperations,
  ...bookOperations,
  ...blockedAggregateOperations,
  ...policyOperations,
];

/** Of the HTTP surface; the version of the package is another. */
const API_VERSION = '1.0.0';

/** What an api serves, with or without the operations API and the monitor. */
export function describeApi({
  ops,
  monitor = false,
}: {
  readonly ops: boolean;
  readonly monitor?: boolean;
}): OpenApiDocument {
  const operations = [...ALWAYS, ...(ops ? OPS : []), ...(monitor ? monitorOperations : [])];
  return buildDocument(operations, API_VERSION, { sessions: monitor });
}
