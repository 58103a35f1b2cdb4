/** What `outbox doctor` asks over the network beside the databases: Temporal, the audit API, Temporal's Web UI. */
import { randomUUID } from 'node:crypto';
import { createStandingLookup } from '../application/delivery/books/ask-standing.js';
import { away, type Finding, ok, unknown, warning, wrong } from '../application/delivery/doctor/findings.js';
import { type AuditApiFacts, judgeAuditApi } from '../application/delivery/doctor/judge-reach.js';
import {
  judgeNamespace,
  judgePollers,
  judgeRetention,
  judgeVersions,
  type NamespaceFacts,
} from '../application/delivery/doctor/judge-temporal.js';
import { parseJsonBody } from '../application/delivery/handlers/to-http-error.js';
import type { HttpClient } from '../application/delivery/ports.js';
import { notReadySchema, READY_PATH } from '../contract/probes-api.js';
import { isIntegrationError } from '../domain/delivery/integration-error.js';
import { createHttpClient } from '../infrastructure/http/create-http-client.js';
import {
  connectTemporal,
  readNamespaceId,
  TemporalAwayError,
  type TemporalTarget,
  TemporalUnfitError,
} from '../infrastructure/temporal/connect-temporal.js';
import { describeTemporalFailure, inspectTemporal } from '../infrastructure/temporal/inspect-temporal.js';
import { readVersionRouting } from '../infrastructure/temporal/version-routing.js';

const TIMEOUT_MS = 5_000;

export interface TemporalExpected {
  readonly taskQueue: string;
  readonly keptNamespaceId: NamespaceFacts['keptId'];
  readonly longestDeadlineMs: number;
  /** Worker Versioning's; left out: it is off. */
  readonly workerDeployment?: string | undefined;
}

export async function examineTemporal(target: TemporalTarget, expected: TemporalExpected): Promise<readonly Finding[]> {
  const { address, namespace } = target;
  const { taskQueue, keptNamespaceId: keptId, longestDeadlineMs, workerDeployment } = expected;
  try {
    const connection = await connectTemporal(target, { timeoutMs: TIMEOUT_MS });
    try {
      const namespaceId = await readNamespaceId(connection, target, TIMEOUT_MS);
      const asked = inspectTemporal(connection, target, taskQueue);
      const refused = (id: (typeof NOT_ASKED)[number]) => (error: unknown) => [
        unknown(id, describeTemporalFailure(error, target)),
      ];
      const looks = [
        asked.countPollers().then((pollers) => judgePollers({ taskQueue, ...pollers }), refused('temporal.pollers')),
        asked
          .readRetention()
          .then(
            (retentionSeconds) => judgeRetention({ namespace, retentionSeconds }, longestDeadlineMs),
            refused('temporal.retention'),
          ),
        workerDeployment === undefined
          ? []
          : Promise.all([
              readVersionRouting(connection, namespace, workerDeployment),
              asked.readPollingBuilds(workerDeployment),
            ]).then(
              ([routing, polling]) => judgeVersions(workerDeployment, routing, polling),
              refused('temporal.versions'),
            ),
      ];
      return [...judgeNamespace({ address, namespace, namespaceId, keptId }), ...(await Promise.all(looks)).flat()];
    } finally {
      await connection.close();
    }
  } catch (error) {
    const notAsked = NOT_ASKED.filter((id) => id !== 'temporal.versions' || workerDeployment !== undefined);
    return [unreached(error), ...notAsked.map((id) => unknown(id, 'Temporal could not be asked'))];
  }
}

const NOT_ASKED = ['temporal.pollers', 'temporal.versions', 'temporal.retention'] as const;

function unreached(error: unknown): Finding {
  const id = 'reach.temporal';
  if (error instanceof TemporalAwayError) {
    return away(id, error.message, 'start it, or mend TEMPORAL_ADDRESS and the TLS settings of both sides');
  }
  if (error instanceof TemporalUnfitError) return wrong(id, error.message, 'mend what it says');
  throw error;
}

/** As the worker meets it: whether it is ready, and whether it takes the key. Stores nothing. */
export async function examineAuditApi(baseUrl: string, apiKey: string): Promise<readonly Finding[]> {
  const http = createHttpClient({ connections: 1 });
  try {
    const ready = await askReady(http, baseUrl);
    const lookupFailed = ready.ready?.status === 200 ? await askLookup(http, baseUrl, apiKey) : null;
    return judgeAuditApi({ url: shown(baseUrl), ...ready, lookupFailed });
  } finally {
    await http.close();
  }
}

async function askReady(http: HttpClient, baseUrl: string): Promise<Pick<AuditApiFacts, 'ready' | 'readyFailed'>> {
  try {
    const url = baseUrl.replace(/\/+$/, '') + READY_PATH;
    const response = await http.send({ method: 'GET', url, timeoutMs: TIMEOUT_MS });
    const answer = notReadySchema.safeParse(parseJsonBody(response));
    const waitingFor = answer.success ? answer.data.waitingFor : [];
    return { ready: { status: response.status, waitingFor }, readyFailed: null };
  } catch (error) {
    return { ready: null, readyFailed: codeOf(error) };
  }
}

/** Of an identity that nobody has: what is asked for here is whether it is answered. */
async function askLookup(http: HttpClient, baseUrl: string, apiKey: string): Promise<AuditApiFacts['lookupFailed']> {
  const late = AbortSignal.timeout(TIMEOUT_MS);
  try {
    const nobody = { eventId: randomUUID(), source: 'outbox:doctor', tenantId: '' };
    await createStandingLookup(http, { baseUrl, apiKey })([nobody], late);
    return null;
  } catch (error) {
    if (late.aborted) return { code: 'HTTP.TIMEOUT', status: null };
    return { code: codeOf(error), status: isIntegrationError(error) ? error.status : null };
  }
}

/** Whatever it answers is its own; a proxy may ask people to sign in first. */
export async function examineTemporalUi(url: string): Promise<readonly Finding[]> {
  const id = 'reach.temporal-ui';
  const todo = 'look at OUTBOX_TEMPORAL_UI_URL, and whether people reach it from where they are; only links need it';
  const http = createHttpClient({ connections: 1 });
  try {
    const { status } = await http.send({ method: 'GET', url, timeoutMs: TIMEOUT_MS, maxResponseBytes: UI_BYTES });
    if (status >= 500) return [warning(id, `Temporal's Web UI at ${shown(url)} answers ${status}`, todo)];
    return [ok(id, `Temporal's Web UI at ${shown(url)} answers`)];
  } catch (error) {
    return [warning(id, `Temporal's Web UI at ${shown(url)} does not answer from here (${codeOf(error)})`, todo)];
  } finally {
    await http.close();
  }
}

const UI_BYTES = 4 * 1024 * 1024;

function codeOf(error: unknown): string {
  if (isIntegrationError(error)) return error.code;
  throw error;
}

/** Without a name and a password that may stand in it. */
function shown(url: string): string {
  const { origin, pathname } = new URL(url);
  return pathname === '/' ? origin : `${origin}${pathname}`;
}
