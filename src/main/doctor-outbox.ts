/** What `outbox doctor` looks at in the outbox database. */
import type { Check, Finding } from '../application/delivery/doctor/findings.js';
import type { ClockFacts } from '../application/delivery/doctor/judge-clock.js';
import {
  judgeBooks,
  judgeJobs,
  judgeLetters,
  judgeNotices,
  judgeProcesses,
  judgeStopped,
} from '../application/delivery/doctor/judge-delivery.js';
import { judgeEventRetention } from '../application/delivery/doctor/judge-event-retention.js';
import { judgeConnections } from '../application/delivery/doctor/judge-settings.js';
import { differences } from '../application/delivery/ordering/apply-ordering.js';
import type { OrderingChange, Orderings } from '../application/delivery/ordering/ports.js';
import { requireSetting } from '../infrastructure/config/load-settings.js';
import type { Settings } from '../infrastructure/config/settings.js';
import { createDeploymentStore } from '../infrastructure/prisma/deployment-store.js';
import { createDatabaseInspector } from '../infrastructure/prisma/inspect-database.js';
import { createDeliveryInspector } from '../infrastructure/prisma/inspect-delivery.js';
import { createOrderingStore } from '../infrastructure/prisma/ordering-store.js';
import type { PgPool } from '../infrastructure/prisma/pg-pool.js';
import { createProcessStore } from '../infrastructure/prisma/process-store.js';
import { readRetentionLag, readUnproven } from '../infrastructure/prisma/settled-store.js';
import { type DatabaseExam, examineDatabase, look } from './doctor-database.js';
import { packageVersion } from './package-version.js';
import { DAY_MS } from './start-event-retention.js';

export interface OutboxExam extends DatabaseExam {
  /** As the database keeps it; null: it does not say. */
  readonly deployment: string | null;
  /** Of the namespace that the runs are in; null: none is kept yet. */
  readonly namespaceId: string | 'unknown' | null;
  /** null: could not be read. */
  readonly orderingChanges: readonly OrderingChange[] | null;
}

const OWN: readonly Check[] = [
  'connections',
  'processes',
  'reconciler',
  'books',
  'retention',
  'letters',
  'jobs',
  'notices',
];
const MOST_PROCESSES = 200;

/** `orderings`: those of the configuration. */
export async function examineOutbox(settings: Settings, orderings: Orderings): Promise<OutboxExam> {
  const found: {
    deployment: string | null;
    namespaceId: string | 'unknown' | null;
    orderingChanges: readonly OrderingChange[] | null;
    clocks: readonly ClockFacts[];
  } = { deployment: null, namespaceId: 'unknown', orderingChanges: null, clocks: [] };
  const url = requireSetting(settings.databaseUrl, 'OUTBOX_DATABASE_URL');
  const exam = await examineDatabase('outbox', url, OWN, async (pool) => {
    const deployments = createDeploymentStore(pool);
    const looks = [
      // Judged with the settings and with Temporal, which go without it where it cannot be read.
      look(
        ['settings'],
        'outbox',
        async () => {
          found.deployment = await deployments.readName();
          found.namespaceId = await deployments.readNamespaceId();
          found.orderingChanges = differences(await createOrderingStore(pool).read(), orderings);
        },
        () => [],
      ),
      examineProcesses(pool, settings, (clocks) => {
        found.clocks = clocks;
      }),
      examineDuties(pool, settings),
    ];
    return (await Promise.all(looks)).flat();
  });
  return { ...found, findings: exam.findings, clocks: [...exam.clocks, ...found.clocks] };
}

async function examineProcesses(
  pool: PgPool,
  { poolSize }: Settings,
  onClocks: (clocks: readonly ClockFacts[]) => void,
): Promise<readonly Finding[]> {
  let running: number | null = null;
  const told = await look(
    ['processes'],
    'outbox',
    () => createProcessStore(pool).list(MOST_PROCESSES),
    (processes) => {
      const living = processes.filter(({ silent }) => !silent);
      running = living.length;
      // As it was told with a statement of its own: what that took is not known, and far below what is judged.
      onClocks(
        living.map(({ host, pid, skewMs }) => ({ what: `process ${host}:${pid}`, skewMs, withinMs: CLOCK_WITHIN_MS })),
      );
      return judgeProcesses(processes, packageVersion());
    },
  );
  const connections = await look(
    ['connections'],
    'outbox',
    () => createDatabaseInspector(pool, 'outbox').readConnections(),
    (facts) => judgeConnections({ ...facts, poolSize, processes: running }),
  );
  return [...told, ...connections];
}

const CLOCK_WITHIN_MS = 200;

async function examineDuties(
  pool: PgPool,
  { noticeWindowMs, retentionDays: days }: Settings,
): Promise<readonly Finding[]> {
  const inspector = createDeliveryInspector(pool);
  const looks = [
    look(['reconciler'], 'outbox', () => inspector.readStopped(), judgeStopped),
    look(['books'], 'outbox', () => inspector.readBooks(), judgeBooks),
    look(
      ['retention'],
      'outbox',
      async () => ({
        days,
        lagSeconds: days === 0 ? 0 : await readRetentionLag(pool, days * DAY_MS),
        unproven: days === 0 ? 0 : await readUnproven(pool, days * DAY_MS),
      }),
      judgeEventRetention,
    ),
    look(['letters'], 'outbox', () => inspector.readOldLetters(), judgeLetters),
    look(['jobs'], 'outbox', () => inspector.readStuckJobs(), judgeJobs),
    look(['notices'], 'outbox', () => inspector.readLateNotices(noticeWindowMs), judgeNotices),
  ];
  return (await Promise.all(looks)).flat();
}
