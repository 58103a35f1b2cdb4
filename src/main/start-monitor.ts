import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createSignInLinks, type SignInLinks } from '../application/audit/monitor/sign-in-links.js';
import type { DeliveryReaders } from '../application/delivery/monitor/read-overview.js';
import type { TemporalUi } from '../domain/delivery/temporal-links.js';
import { isLoopback } from '../http/check-origin.js';
import type { MonitorOptions } from '../http/open-monitor.js';
import { ConfigurationError } from '../infrastructure/config/load-settings.js';
import type { Settings } from '../infrastructure/config/settings.js';
import { createOperatorStore } from '../infrastructure/prisma/operator-store.js';
import { createPool, type PgPool } from '../infrastructure/prisma/pg-pool.js';
import { createSessionStore } from '../infrastructure/prisma/session-store.js';
import { openAuditOverview } from './open-log-monitor.js';
import { packageVersion } from './package-version.js';

/** What the overview and the monitor's page read by, apart from what people act and records are written by. */
export interface MonitorPools {
  readonly outbox: PgPool;
  /** For whether the outbox database answers and who works by it: what is counted keeps neither waiting, not even a locked table. */
  readonly vitals: PgPool;
  readonly audit: PgPool;
  close(): Promise<void>;
}

/** A few short reads every other second, for all who look together; none may hold a connection for long. */
const OF_OUTBOX = { max: 3, statementTimeoutMs: 3_000, applicationName: 'temporal-outbox monitor' };
const OF_VITALS = { ...OF_OUTBOX, max: 2 };
/** The overview's three parts at once, and the sessions of whoever asks. */
const OF_AUDIT = { ...OF_OUTBOX, max: 4 };

export function openMonitorPools(
  urls: { readonly outbox: string; readonly audit: string },
  onConnectionLost: (error: Error) => void,
): MonitorPools {
  const outbox = createPool(urls.outbox, { ...OF_OUTBOX, onConnectionLost });
  const vitals = createPool(urls.outbox, { ...OF_VITALS, onConnectionLost });
  const audit = createPool(urls.audit, { ...OF_AUDIT, onConnectionLost });
  return {
    outbox,
    vitals,
    audit,
    close: async () => {
      await Promise.all([outbox.end(), vitals.end(), audit.end()]);
    },
  };
}

/**
 * Refuses what must not be served: a page that asks nobody to sign in on an address that others reach. Warns of one that
 * others reach by a proxy of this machine, and of one whose cookie goes over a network without TLS. Throws
 * ConfigurationError.
 */
export function checkMonitorSettings(
  { host, monitorSignIn, monitorUrl }: Pick<Settings, 'host' | 'monitorSignIn' | 'monitorUrl'>,
  log: { warn(fields: object, message: string): void },
): void {
  if (isLoopback(host)) {
    if (monitorSignIn === 'off' && monitorUrl !== undefined && !isLoopback(new URL(monitorUrl).hostname)) {
      const reason = `OUTBOX_MONITOR_SIGN_IN is off, and people come by ${monitorUrl}: whoever reaches that sees everything`;
      log.warn({ reason }, 'monitor.without_sign_in');
    }
    return;
  }
  if (monitorSignIn === 'off') {
    throw new ConfigurationError([
      `OUTBOX_MONITOR_SIGN_IN: off is for this machine alone, and OUTBOX_HOST is ${host}: set it to 127.0.0.1, let people sign in, or set OUTBOX_MONITOR=off`,
    ]);
  }
  if (monitorUrl?.startsWith('https:') === true) return;
  const reason = `OUTBOX_HOST is ${host}, and OUTBOX_MONITOR_URL no https:// address: sessions can be read on the way`;
  log.warn({ reason }, 'monitor.without_tls');
}

export interface OpenMonitorOptions {
  readonly pools: MonitorPools;
  readonly overview: DeliveryReaders;
  readonly settings: Settings;
  /** As links to runs are made. */
  readonly temporalUi: () => Promise<TemporalUi | null>;
  /** Those that this process hands out; left out: none. */
  readonly links?: SignInLinks | undefined;
}

/** What an api needs to serve the page, with sessions of API keys and operators. */
export function monitorOptions({ pools, overview, settings, temporalUi, links }: OpenMonitorOptions): MonitorOptions {
  return {
    folder: pageFolder(),
    url: settings.monitorUrl ?? null,
    signIn: settings.monitorSignIn === 'on',
    lifeMs: settings.monitorSessionHours * 3_600_000,
    operators: createOperatorStore(pools.audit),
    sessions: createSessionStore(pools.audit),
    links: links ?? createSignInLinks(),
    parts: { ...overview, ...openAuditOverview(pools.audit, settings) },
    about: {
      version: packageVersion(),
      temporalUi: settings.temporalUiUrl ?? null,
      readNamespace: async () => (await temporalUi())?.namespace ?? null,
    },
  };
}

/** Beside the built code, or in the checkout that the sources stand in. What is missing there is told when it is read. */
function pageFolder(): string {
  const [built, checkout] = ['../../monitor', '../../dist/monitor'].map((path) =>
    fileURLToPath(new URL(path, import.meta.url)),
  ) as [string, string];
  return existsSync(built) ? built : checkout;
}
