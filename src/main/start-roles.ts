/** Starts roles beside each other in one process and stops them in the order in which work flows. */

import type { Logger } from 'pino';
import type { SignInLinks } from '../application/audit/monitor/sign-in-links.js';
import type { OutboxConfig } from '../application/delivery/define-config.js';
import type { CoalescingLane } from '../application/delivery/monitor/ports.js';
import { type ProbeServer, startMetricsServer, startProbeServer } from '../http/probe-server.js';
import type { Environment } from '../infrastructure/config/load-settings.js';
import type { Settings } from '../infrastructure/config/settings.js';
import { mistypedTemporalVariables } from '../infrastructure/config/temporal-variables.js';
import type { TemporalTarget } from '../infrastructure/temporal/connect-temporal.js';
import { createSdkMetrics } from '../infrastructure/temporal/sdk-metrics.js';
import { type Counters, createCounters } from './counters.js';
import type { DeliveryEnvironment, ReachedDatabase } from './delivery-environment.js';
import { explainListen } from './explain-listen.js';
import { openMetrics } from './open-metrics.js';
import { openTraces } from './open-traces.js';
import type { RoleContext, StartedRole } from './role.js';
import type { RoleName } from './role-name.js';
import { runAll } from './run-all.js';
import type { RunningRoles } from './run-until-signal.js';
import { startApiRole } from './start-api.js';
import { verifyNotifiers } from './verify-notifiers.js';

export interface StartRolesOptions {
  readonly roles: readonly RoleName[];
  readonly settings: Settings;
  readonly config: OutboxConfig;
  readonly log: Logger;
  /** For Temporal's own variables. */
  readonly environment: Environment;
  /** In place of what the environment says of Temporal. */
  readonly temporal?: TemporalTarget;
  /** R3: Temporal is this process's own; where it is another one than before, what ran there is dispatched again. */
  readonly adoptLost?: boolean;
  /** That sign somebody in to the monitor of this process. */
  readonly signInLinks?: SignInLinks;
  /** Gives up a start that waits for something. */
  readonly signal: AbortSignal;
  /** Told, in a sentence, what a start waits for. */
  readonly onWaiting?: (sentence: string) => void;
}

export interface Started extends RunningRoles {
  readonly apiPort: number | null;
  readonly probePort: number | null;
  /** null: it is on that of the probes, or not served. */
  readonly metricsPort: number | null;
  readonly counters: Counters;
  hint(): void;
}

export async function startRoles(options: StartRolesOptions): Promise<Started> {
  const { roles, settings, config, log } = options;
  const counters = createCounters();
  await verifyNotifiers(config, options.signal);
  const traces = await openTraces(options.environment, { settings, roles, log });
  const started: StartedRole[] = [];
  let delivery: DeliveryEnvironment | null = null;
  let probes: ProbeServer | null = null;
  let scraped: ProbeServer | null = null;
  const delivers = roles.some((role) => role !== 'api');
  const sdkMetrics =
    delivers && settings.temporalMetrics === 'on' ? createSdkMetrics({ deployment: settings.deployment }) : null;
  let waitsForTemporal = () => false;
  // While the start waits for something else, nobody has asked Temporal.
  const findTemporal = async () =>
    delivery === null ? (waitsForTemporal() ? false : null) : await delivery.doesTemporalAnswer();
  const eventTypes = Object.keys(config.policies ?? {}).filter((eventType) => eventType !== '*');
  const metrics = openMetrics({
    ...{ roles, settings, log, sdkMetrics, eventTypes },
    readRoles: () => started.flatMap((role) => role.samples?.() ?? []),
    ...(delivers ? { findTemporal } : {}),
  });
  const own = { counters, metrics: metrics.metrics, sdkMetrics };
  const context: RoleContext = { settings, config, log, ...own, signInLinks: options.signInLinks, traces };

  let waitingFor = 'starting';
  const onWaiting = (sentence: string) => {
    waitingFor = sentence;
    options.onWaiting?.(sentence);
  };
  let running = false;
  let stopped: Promise<void> | null = null;
  /** Claiming first, then what runs, then what it is delivered to, then what all stand on. */
  const stop = () => {
    stopped ??= runAll([
      ...(['relay', 'worker', 'api'] as const).map((name) => () => started.find((role) => role.name === name)?.stop()),
      () => delivery?.close(),
      () => Promise.all([probes?.close(), scraped?.close()]),
      () => Promise.all([traces?.stop(), metrics.close()]),
      async () => running && log.info({ counters: counters.read() }, 'process.counters'),
    ]);
    return stopped;
  };
  try {
    const { host, metricsPort } = settings;
    if (metricsPort !== undefined) {
      scraped = await startMetricsServer({ host, port: metricsPort, metrics: metrics.render }).catch(
        (error: unknown) => {
          throw explainListen(error, 'OUTBOX_METRICS_PORT');
        },
      );
    }
    if (delivers) {
      if (options.temporal === undefined) {
        for (const found of mistypedTemporalVariables(options.environment)) log.warn(found, 'environment.mistyped');
      }
      // Before the wait for what is away, so that the process can be seen to live meanwhile.
      probes = await startProbeServer({
        host,
        port: settings.probePort,
        ...(metricsPort === undefined ? { metrics: metrics.render } : {}),
        notReady: async () => (delivery === null ? { start: waitingFor } : findProblems(started, delivery, roles)),
        warnings: async () => (await Promise.all(started.map((role) => role.warnings?.() ?? []))).flat(),
      }).catch((error: unknown) => {
        throw explainListen(error, 'OUTBOX_PROBE_PORT');
      });
    }
    if (roles.includes('api')) started.push(await startApiRole(context));
    options.signal.throwIfAborted();
    if (delivers) {
      // Loaded here: Temporal's SDK is half a second and a native library, which an api has no use for.
      const { openDeliveryEnvironment, readTarget } = await import('./delivery-environment.js');
      const target = options.temporal ?? readTarget(options.environment);
      const { signal, adoptLost = false } = options;
      const { startTelling } = await import('./tell-process.js');
      const told = roles.filter((role) => role !== 'api');
      let readCoalescing = (): readonly CoalescingLane[] => [];
      let tellNow = () => {};
      const onDatabase = (reached: ReachedDatabase) => {
        waitsForTemporal = reached.waitsForTemporal;
        const telling = startTelling(context, {
          ...{ ...reached, roles: told, target },
          delivery: () => delivery,
          readCoalescing: () => readCoalescing(),
        });
        tellNow = telling.now;
        return telling;
      };
      delivery = await openDeliveryEnvironment(context, target, { signal, onWaiting, adoptLost, onDatabase });
      const deliveryContext = { ...context, delivery };
      if (roles.includes('worker')) {
        const { startWorkerRole } = await import('./start-worker.js');
        started.push(await startWorkerRole(deliveryContext, { besideRelay: roles.includes('relay') }));
      }
      // A signal that came meanwhile has no other reader: not looking here would run on as if it had not come.
      options.signal.throwIfAborted();
      if (roles.includes('relay')) {
        const { startRelayRole } = await import('./start-relay.js');
        const relay = startRelayRole(deliveryContext, { eager: roles.includes('worker') });
        started.push(relay);
        readCoalescing = relay.readCoalescing;
      }
      // That Temporal has answered, and what a relay does.
      tellNow();
    }
    const failed = Promise.race(started.map((role) => role.failed ?? new Promise<never>(() => {})));
    failed.catch(() => {}); // `runUntilSignal` listens; a caller that does not must not be ended by it
    const apiPort = started.find((role) => role.name === 'api')?.port ?? null;
    running = true;
    log.info({ roles, apiPort, probePort: probes?.port, metricsPort: scraped?.port }, 'process.started');
    return {
      apiPort,
      probePort: probes?.port ?? null,
      metricsPort: scraped?.port ?? null,
      counters,
      stop,
      failed,
      hint: () => {
        for (const role of started) role.hint();
      },
    };
  } catch (error) {
    // What does not stop must not hide why the start failed.
    await stop().catch((err: unknown) => log.error({ err }, 'process.stop_failed'));
    throw error;
  }
}

async function findProblems(
  started: readonly StartedRole[],
  delivery: DeliveryEnvironment,
  roles: readonly RoleName[],
): Promise<Record<string, string>> {
  const problems: Record<string, string> = {};
  for (const role of roles) {
    const running = started.find(({ name }) => name === role);
    const problem = running === undefined ? 'not started yet' : await running.notReady();
    if (problem !== null) problems[role] = problem;
  }
  return { ...problems, ...(await delivery.findProblems()) };
}
