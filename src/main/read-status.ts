/** What `outbox status` shows: the monitor's own parts and figures, read from the two databases, and its verdict. */
import type { ReadFigures } from '../application/delivery/monitor/read-figures.js';
import { FIGURE_WINDOWS, type Figures, type FigureWindow, type OverviewPart } from '../contract/overview-api.js';
import { judgeOverview, type Verdict } from '../contract/verdict.js';
import { requireSetting } from '../infrastructure/config/load-settings.js';
import type { Settings } from '../infrastructure/config/settings.js';
import { createOverviewStore } from '../infrastructure/prisma/overview-store.js';
import { createPool } from '../infrastructure/prisma/pg-pool.js';
import { explainPart } from './explain-part.js';
import { openAuditOverview } from './open-log-monitor.js';
import { openFigures, openOverview } from './open-overview.js';

export interface Status {
  /** RFC 3339, by this machine's clock. */
  readonly at: string;
  readonly verdict: Verdict;
  readonly parts: readonly OverviewPart[];
  /** Of the windows that could be read. */
  readonly figures: readonly Figures[];
  /** Why one of them could not; null: all could. */
  readonly figuresMissing: string | null;
  /** What was not asked for, and why. */
  readonly notLookedAt: readonly string[];
}

export interface StatusReader {
  /** Resolves when the outbox database answers; throws as a statement does. */
  ping(): Promise<void>;
  /** Never rejects: what does not answer is told as such, with what it answered last. */
  read(): Promise<Status>;
  close(): Promise<void>;
}

const WINDOWS = Object.keys(FIGURE_WINDOWS) as readonly FigureWindow[];

export function openStatus(settings: Settings): StatusReader {
  const applicationName = 'temporal-outbox status';
  const { auditDatabaseUrl } = settings;
  const pool = createPool(requireSetting(settings.databaseUrl, 'OUTBOX_DATABASE_URL'), { max: 5, applicationName });
  const auditPool = auditDatabaseUrl === undefined ? null : createPool(auditDatabaseUrl, { max: 3, applicationName });
  const readers: readonly (() => Promise<OverviewPart>)[] = [
    ...Object.values(openOverview({ outbox: pool }, settings)),
    ...(auditPool === null ? [] : Object.values(openAuditOverview(auditPool, settings))),
  ];
  const figuresOf = openFigures(pool);
  return {
    ping: () => createOverviewStore(pool).ping(),
    async read() {
      const parts = await Promise.all(readers.map((reader) => reader()));
      const gone = parts.some(({ name, state }) => name === 'outboxDatabase' && state === 'away');
      const { figures, figuresMissing } = gone
        ? { figures: [], figuresMissing: 'the outbox database does not answer' }
        : await readAll(figuresOf);
      return {
        at: new Date().toISOString(),
        verdict: judgeOverview(parts),
        parts,
        figures,
        figuresMissing,
        notLookedAt: auditPool === null ? ['the audit log: AUDIT_DATABASE_URL is not set'] : [],
      };
    },
    async close() {
      await Promise.all([pool.end(), auditPool?.end()]);
    },
  };
}

async function readAll(figuresOf: ReadFigures): Promise<Pick<Status, 'figures' | 'figuresMissing'>> {
  const read = await Promise.allSettled(WINDOWS.map((window) => figuresOf({ window })));
  const failed = read.find((one) => one.status === 'rejected');
  return {
    figures: read.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : [])),
    figuresMissing: failed === undefined ? null : explainPart(failed.reason, 'outbox'),
  };
}
