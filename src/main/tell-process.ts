import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { CoalescingLane, ProcessRole, ProcessSays, SeenFromThere } from '../application/delivery/monitor/ports.js';
import { type ToldProcess, tellProcess } from '../application/delivery/monitor/tell-process.js';
import { resolvePolicies } from '../application/delivery/policy-schema.js';
import type { HttpClient } from '../application/delivery/ports.js';
import { systemTime } from '../application/delivery/relay-time.js';
import { READY_PATH } from '../contract/probes-api.js';
import { isIntegrationError } from '../domain/delivery/integration-error.js';
import type { Settings } from '../infrastructure/config/settings.js';
import { createHttpClient } from '../infrastructure/http/create-http-client.js';
import { createProcessStore } from '../infrastructure/prisma/process-store.js';
import type { TemporalTarget } from '../infrastructure/temporal/connect-temporal.js';
import type { DeliveryEnvironment, ReachedDatabase } from './delivery-environment.js';
import { packageVersion } from './package-version.js';
import type { RoleContext } from './role.js';

const READY_TIMEOUT_MS = 2_000;

export interface TellOptions extends ReachedDatabase {
  readonly roles: readonly ProcessRole[];
  readonly target: TemporalTarget;
  /** null: it is not open yet. */
  readonly delivery: () => DeliveryEnvironment | null;
  /** Of the relay in this process. */
  readonly readCoalescing: () => readonly CoalescingLane[];
}

/**
 * Tells the outbox that this relay or worker runs, and how Temporal and the audit API look from here: an api talks to neither.
 * From the start on, as soon as the database answers: one that waits for Temporal is there, and says so. One row for the
 * process, whatever its roles.
 */
export function startTelling({ settings, config, log }: RoleContext, options: TellOptions): ToldProcess {
  const { roles, target, pool, policies, readCoalescing } = options;
  const http = createHttpClient({ connections: 1 });
  const orderings = Object.fromEntries(resolvePolicies(config.policies).orderings);
  const say = async (): Promise<ProcessSays> => {
    const [temporal, auditApi] = await Promise.all([lookAtTemporal(options), lookAtAuditApi(settings, http)]);
    return {
      temporal,
      auditApi,
      namespace: target.namespace,
      temporalAddress: hostOf(target.address),
      policies,
      orderings,
      coalescing: readCoalescing(),
    };
  };
  const telling = tellProcess(
    { processes: createProcessStore(pool), say, time: systemTime, log },
    { id: randomUUID(), roles, host: hostname(), pid: process.pid, version: packageVersion() },
  );
  return {
    now: telling.now,
    async stop() {
      await telling.stop();
      await http.close();
    },
  };
}

/** As /ready says it, and within its time. null: a start that has just begun has not asked it yet. */
async function lookAtTemporal(options: TellOptions): Promise<SeenFromThere | null> {
  const delivery = options.delivery();
  const noAnswer = () => seen(`it does not answer at ${hostOf(options.target.address)}`);
  if (delivery === null) return options.waitsForTemporal() ? noAnswer() : null;
  const { temporal: away } = await delivery.findProblems();
  if (away !== undefined) return noAnswer();
  return seen(delivery.namespace.isOurs() ? null : 'its namespace is not the one that the runs of this outbox are in');
}

async function lookAtAuditApi({ auditUrl, auditApiKey }: Settings, http: HttpClient): Promise<SeenFromThere | null> {
  if (auditApiKey === undefined) return null;
  const url = `${auditUrl.replace(/\/+$/, '')}${READY_PATH}`;
  try {
    const { status } = await http.send({ method: 'GET', url, timeoutMs: READY_TIMEOUT_MS });
    return seen(status === 200 ? null : `it answers ${status} to ${READY_PATH}`);
  } catch (error) {
    // Its message may hold the address; the code says what there is to know.
    return seen(`it does not answer${isIntegrationError(error) ? ` (${error.code})` : ''}`);
  }
}

function seen(reason: string | null): SeenFromThere {
  return { ok: reason === null, reason, at: new Date().toISOString() };
}

/** `host:port`, `[::1]:port`: the port, and whatever else somebody put there, is nobody's to see. */
function hostOf(address: string): string {
  const [host = ''] = /^(\[[^\]]*\]|[^:/@]*)/.exec(address.replace(/^.*[/@]/, '')) ?? [];
  return host;
}
