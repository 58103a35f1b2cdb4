/** `outbox doctor`: what is not as it should be with databases, Temporal, processes and settings, and what to do. */
import {
  CHECKS,
  type Check,
  type Finding,
  type FindingState,
  inOrder,
  verdictOf,
} from '../application/delivery/doctor/findings.js';
import { judgeClocks } from '../application/delivery/doctor/judge-clock.js';
import { judgeSettings, type SettingsFacts } from '../application/delivery/doctor/judge-settings.js';
import { resolvePolicies } from '../application/delivery/policy-schema.js';
import { defaultTaskQueue } from '../domain/delivery/deployment.js';
import { loadConfigFile } from '../infrastructure/config/load-config-file.js';
import { type Environment, loadSettings } from '../infrastructure/config/load-settings.js';
import { processEnvironment } from '../infrastructure/config/process-environment.js';
import { SETTING_KEYS, type Settings, variableOf } from '../infrastructure/config/settings.js';
import { mistypedTemporalVariables } from '../infrastructure/config/temporal-variables.js';
import { readTarget } from './delivery-environment.js';
import { examineAudit } from './doctor-audit.js';
import { examineOutbox, type OutboxExam } from './doctor-outbox.js';
import { examineAuditApi, examineTemporal, examineTemporalUi } from './doctor-reach.js';
import { EXIT } from './exit-codes.js';
import { longestDeadline } from './longest-deadline.js';
import { print } from './terminal.js';

export interface DoctorOptions {
  readonly config?: string;
  /** Warnings count as what is wrong. */
  readonly strict?: boolean;
  readonly json?: boolean;
}

interface Examined {
  readonly findings: readonly Finding[];
  /** What was not asked for, and why. */
  readonly skipped: readonly { readonly checks: readonly Check[]; readonly why: string }[];
}

/** Exit code 1 where something is wrong, 69 where nothing is but that a part is away or could not be looked at. */
export async function runDoctor({ config, strict = false, json }: DoctorOptions): Promise<number> {
  const environment = processEnvironment();
  const settings = loadSettings(environment, ['doctor']);
  const { findings, skipped } = await examine(environment, settings, config ?? null);
  const verdict = verdictOf(findings, strict);
  if (json) print(JSON.stringify({ at: new Date().toISOString(), verdict, checks: findings, skipped }));
  else {
    for (const line of describe(findings)) print(line);
    for (const { checks, why } of skipped) print(`not looked at: ${checks.join(', ')}: ${why}`);
    print(summary(findings));
  }
  return EXIT[verdict];
}

async function examine(environment: Environment, settings: Settings, configFile: string | null): Promise<Examined> {
  const policies = resolvePolicies((await loadConfigFile(configFile, process.cwd())).policies);
  const target = readTarget(environment);
  const { auditDatabaseUrl, auditApiKey, temporalUiUrl } = settings;
  // First: what the outbox keeps of its deployment and namespace says what Temporal is to be asked for.
  const outbox = await examineOutbox(settings, policies.orderings);
  const [audit, ...others] = await Promise.all([
    auditDatabaseUrl === undefined ? null : examineAudit(settings, auditDatabaseUrl),
    examineTemporal(target, {
      taskQueue: settings.taskQueue ?? defaultTaskQueue(outbox.deployment ?? settings.deployment),
      keptNamespaceId: outbox.namespaceId,
      longestDeadlineMs: longestDeadline(policies),
      workerDeployment: settings.workerDeployment,
    }),
    auditApiKey === undefined ? [] : examineAuditApi(settings.auditUrl, auditApiKey),
    temporalUiUrl === undefined ? [] : examineTemporalUi(temporalUiUrl),
  ]);
  const findings = [
    ...judgeSettings(factsOf(environment, settings, outbox)),
    ...judgeClocks([...outbox.clocks, ...(audit?.clocks ?? [])]),
    ...outbox.findings,
    ...(audit?.findings ?? []),
    ...others.flat(),
  ];
  const without = (value: unknown, variable: string, ...checks: readonly Check[]) =>
    value === undefined ? [{ checks, why: `${variable} is not set` }] : [];
  return {
    findings: inOrder(findings),
    skipped: [
      ...without(auditDatabaseUrl, 'AUDIT_DATABASE_URL', 'reach.audit', 'seal', 'partitions', 'verification'),
      ...without(auditApiKey, 'OUTBOX_AUDIT_API_KEY', 'reach.audit-api'),
      ...without(temporalUiUrl, 'OUTBOX_TEMPORAL_UI_URL', 'reach.temporal-ui'),
    ],
  };
}

function factsOf(environment: Environment, settings: Settings, outbox: OutboxExam): SettingsFacts {
  const given = SETTING_KEYS.map(variableOf).filter((variable) => (environment[variable] ?? '') !== '');
  return {
    given: new Set(given),
    deployment: settings.deployment,
    storedDeployment: outbox.deployment,
    host: settings.host,
    ops: settings.ops === 'on',
    monitor: settings.monitor === 'on',
    monitorSignIn: settings.monitorSignIn === 'on',
    monitorUrl: settings.monitorUrl ?? null,
    searchAttributes: settings.searchAttributes !== 'off',
    leaseMs: settings.leaseMs,
    startTimeoutMs: settings.startTimeoutMs,
    pollFloorMs: settings.pollFloorMs,
    pollIdleMs: settings.pollIdleMs,
    mistyped: mistypedTemporalVariables(environment),
    orderingChanges: outbox.orderingChanges,
  };
}

const STATE_WIDTH = 9;
const ID_WIDTH = Math.max(...CHECKS.map((id) => id.length)) + 2;

/** What is wrong as it comes; what could not be looked at for one reason in one line. */
function* describe(findings: readonly Finding[]): Generator<string> {
  const told = new Set<Finding>();
  for (const finding of findings) {
    if (told.has(finding)) continue;
    const { id, state, detail, todo } = finding;
    const alike =
      state === 'unknown' ? findings.filter((one) => one.state === state && one.detail === detail) : [finding];
    for (const one of alike) told.add(one);
    const ids = alike.length === 1 ? '' : `${alike.map((one) => one.id).join(', ')}: `;
    yield `${state.padEnd(STATE_WIDTH)}${(ids === '' ? id : 'several').padEnd(ID_WIDTH)}${ids}${detail}`;
    if (todo !== null) yield `${' '.repeat(STATE_WIDTH + ID_WIDTH)}-> ${todo}`;
  }
}

const WORDS: Readonly<Record<FindingState, string>> = {
  wrong: 'wrong',
  unknown: 'could not be looked at',
  warning: 'to look at',
  ok: 'ok',
};

function summary(findings: readonly Finding[]): string {
  const counts = (['wrong', 'unknown', 'warning', 'ok'] as const).map((state) => {
    const count = findings.filter((finding) => finding.state === state).length;
    return count === 0 ? null : `${count} ${WORDS[state]}`;
  });
  return `${counts.filter((count) => count !== null).join(', ')}; docs/doctor.md says more of each`;
}
