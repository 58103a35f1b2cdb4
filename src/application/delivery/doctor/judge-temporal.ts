import { describeRouting, makeCurrent, strandedBuilds, type VersionRouting } from '../worker-version.js';
import { type Finding, ok, unknown, warning, wrong } from './findings.js';

/** The namespace that answers, and the one that the outbox's runs are in. */
export interface NamespaceFacts {
  readonly address: string;
  readonly namespace: string;
  readonly namespaceId: string;
  /** null: no role has started yet. `unknown`: the outbox database did not say. */
  readonly keptId: string | 'unknown' | null;
}

/** Whoever asked the task queue for work lately. */
export interface PollerFacts {
  readonly taskQueue: string;
  readonly workflowPollers: number;
  readonly activityPollers: number;
}

/** How long closed runs are kept; null: the server does not say. */
export interface RetentionFacts {
  readonly namespace: string;
  readonly retentionSeconds: number | null;
}

const HOUR = 3_600;
/** The reconciler comes to a run a few minutes after it should have moved; a relay may be down over a night. */
const LEAST_HOURS = 24;

export function judgeNamespace({ address, namespace, namespaceId, keptId }: NamespaceFacts): readonly Finding[] {
  if (keptId === 'unknown') {
    const detail = `Temporal at ${address} answers for the namespace ${namespace}; whether the runs are in it, the outbox database did not say`;
    return [unknown('reach.temporal', detail)];
  }
  if (keptId === null || keptId === namespaceId) {
    return [ok('reach.temporal', `Temporal at ${address} answers for the namespace ${namespace}`)];
  }
  return [
    wrong(
      'reach.temporal',
      `Temporal at ${address}: the namespace ${namespace} is not the one that this outbox's runs are in (expected ${keptId}, got ${namespaceId})`,
      'mend TEMPORAL_ADDRESS or TEMPORAL_NAMESPACE; where what Temporal kept is lost for good, `outbox temporal adopt --lost`',
    ),
  ];
}

export function judgePollers({ taskQueue, workflowPollers, activityPollers }: PollerFacts): readonly Finding[] {
  const missing = [...(workflowPollers === 0 ? ['workflows'] : []), ...(activityPollers === 0 ? ['activities'] : [])];
  if (missing.length > 0) {
    return [
      wrong(
        'temporal.pollers',
        `no worker polls the task queue ${taskQueue} for ${missing.join(' and ')}`,
        'start a worker of this deployment; where one runs, compare its OUTBOX_DEPLOYMENT, OUTBOX_TASK_QUEUE and namespace with these',
      ),
    ];
  }
  return [
    ok('temporal.pollers', `${Math.max(workflowPollers, activityPollers)} pollers at the task queue ${taskQueue}`),
  ];
}

/** Where Worker Versioning is on: whether those that get runs are there to take them. `polling`: builds that poll the queue. */
export function judgeVersions(
  deploymentName: string,
  routing: VersionRouting,
  polling: readonly string[],
): readonly Finding[] {
  const id = 'temporal.versions';
  const said = describeRouting(deploymentName, routing);
  const [stranded] = strandedBuilds(routing, polling);
  if (stranded !== undefined) {
    const others = polling.filter((build) => build !== stranded);
    return [
      wrong(
        id,
        `${said}, and no worker of ${stranded} polls: runs that it gets wait, and so do open ones`,
        others.length === 0
          ? `start workers of build ${stranded}`
          : `start workers of build ${stranded}, or give its runs to one that polls (${others.join(', ')}): ${makeCurrent({ deploymentName, buildId: others[0] as string })}`,
      ),
    ];
  }
  if (routing.current !== null) return [ok(id, said)];
  const buildId = routing.ramping?.buildId ?? 'BUILD_ID';
  return [
    wrong(
      id,
      `${said}, so workers with a version get no new run but those that ramp`,
      `${makeCurrent({ deploymentName, buildId })}; \`temporal worker deployment describe --name ${deploymentName}\` lists the builds`,
    ),
  ];
}

/**
 * R21: a run that ended is looked for while its event is open; gone, it is taken for lost and dispatched again. A redrive is
 * another epoch, so another run, and needs nothing of the one before (R2).
 */
export function judgeRetention(
  { namespace, retentionSeconds }: RetentionFacts,
  longestDeadlineMs: number,
): readonly Finding[] {
  const id = 'temporal.retention';
  const least = leastRetentionHours(longestDeadlineMs);
  const todo = `temporal operator namespace update --namespace ${namespace} --retention ${least}h (redrives do not need it: each is a run of its own)`;
  if (retentionSeconds === null) {
    return [warning(id, `the server does not say how long the namespace ${namespace} keeps closed runs`, todo)];
  }
  const kept = `the namespace ${namespace} keeps closed runs for ${hours(retentionSeconds)}`;
  if (retentionSeconds < LEAST_HOURS * HOUR) {
    const detail = `${kept}: after an outage of that length runs that ended are taken for lost, and their events are sent again`;
    return [wrong(id, detail, todo)];
  }
  if (retentionSeconds < least * HOUR) {
    const detail = `${kept}, and the longest deadline of a policy is ${hours(longestDeadlineMs / 1_000)}: nobody can look at the first runs of what is still being tried`;
    return [warning(id, detail, todo)];
  }
  return [ok(id, kept)];
}

export function leastRetentionHours(longestDeadlineMs: number): number {
  return Math.max(LEAST_HOURS, Math.ceil(longestDeadlineMs / 3_600_000) + 1);
}

function hours(seconds: number): string {
  return `${Math.round((seconds / HOUR) * 10) / 10} h`;
}
