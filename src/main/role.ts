import type { Logger } from 'pino';
import type { SignInLinks } from '../application/audit/monitor/sign-in-links.js';
import type { OutboxConfig } from '../application/delivery/define-config.js';
import type { MetricSample, Metrics } from '../application/metrics/metrics.js';
import type { Settings } from '../infrastructure/config/settings.js';
import type { SdkMetrics } from '../infrastructure/temporal/sdk-metrics.js';
import type { Counters } from './counters.js';
import type { DeliveryEnvironment } from './delivery-environment.js';
import type { Traces } from './open-traces.js';
import type { RoleName } from './role-name.js';

/** What every role is built from. */
export interface RoleContext {
  readonly settings: Settings;
  readonly config: OutboxConfig;
  readonly log: Logger;
  readonly counters: Counters;
  /** Left out: nobody scrapes. */
  readonly metrics?: Metrics;
  /** Of Temporal's SDK; left out: they are not told. */
  readonly sdkMetrics?: SdkMetrics | null;
  /** That sign somebody in to the monitor of this process; left out: there are none. */
  readonly signInLinks?: SignInLinks | undefined;
  /** Left out: tracing is off. */
  readonly traces?: Traces | undefined;
}

/** Relay and worker also share a database and a Temporal connection. */
export interface DeliveryContext extends RoleContext {
  readonly delivery: DeliveryEnvironment;
}

export interface StartedRole {
  readonly name: RoleName;
  /** Of its HTTP server, where it has one. */
  readonly port: number | null;
  /** Why it cannot work at the moment; null when it can. */
  notReady(): Promise<string | null>;
  /** What is wrong and keeps it from nothing; bounded in time, never throws. */
  warnings?(): Promise<readonly string[]>;
  /** Of its own, told by each scrape without waiting. */
  samples?(): readonly MetricSample[];
  /** An event was appended in this process. */
  hint(): void;
  /** Stops taking work, finishes what is under way, closes what it opened. */
  stop(): Promise<void>;
  /** Rejects when the role ended by itself. */
  readonly failed?: Promise<never>;
}
