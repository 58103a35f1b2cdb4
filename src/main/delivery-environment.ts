/**
 * What relay and worker stand on: the outbox database with its deployment, the Temporal namespace with its search
 * attributes. Waits for both instead of failing, so that the order in which machines come up does not matter; what is
 * wrong rather than away (another deployment, no such namespace, a missing attribute) ends the start with a sentence.
 */

import type { AlertDeps } from '../application/delivery/notify/raise-alert.js';
import { differences } from '../application/delivery/ordering/apply-ordering.js';
import type { OrderingChange } from '../application/delivery/ordering/ports.js';
import { hashPolicies } from '../application/delivery/policy-hash.js';
import { type Coalescings, resolvePolicies } from '../application/delivery/policy-schema.js';
import type { PolicyHashes } from '../application/delivery/ports.js';
import { createNamespaceGuard, type NamespaceGuard } from '../application/delivery/reconcile/namespace-guard.js';
import { defaultTaskQueue } from '../domain/delivery/deployment.js';
import { ConfigurationError, type Environment, requireSetting } from '../infrastructure/config/load-settings.js';
import { adoptNamespace } from '../infrastructure/prisma/adopt-namespace.js';
import { createAlertStore } from '../infrastructure/prisma/alert-store.js';
import { createDeploymentStore } from '../infrastructure/prisma/deployment-store.js';
import { createOrderingStore } from '../infrastructure/prisma/ordering-store.js';
import { createPool, type PgPool } from '../infrastructure/prisma/pg-pool.js';
import {
  awayError,
  connectTemporal,
  createTemporalProbe,
  isAway,
  readNamespaceId,
  readTemporalTarget,
  type TemporalTarget,
} from '../infrastructure/temporal/connect-temporal.js';
import { installRuntime } from '../infrastructure/temporal/install-runtime.js';
import {
  prepareSearchAttributes,
  type SearchAttributeNames,
  searchAttributeNames,
} from '../infrastructure/temporal/search-attributes.js';
import { checkDeployment } from './check-deployment.js';
import { explainingDatabase } from './explain-database.js';
import { refuseTransactionPooling } from './refuse-transaction-pooling.js';
import type { RoleContext } from './role.js';
import { StartRefusedError } from './start-refused-error.js';
import { untilItAnswers, type WaitOptions } from './until-it-answers.js';

export interface DeliveryEnvironment {
  readonly pool: PgPool;
  /** What of both does not answer at the moment, by part; empty when all is well. Bounded in time. */
  findProblems(): Promise<Record<string, string>>;
  /** Bounded in time; never rejects. */
  doesTemporalAnswer(): Promise<boolean>;
  readonly connection: Awaited<ReturnType<typeof connectTemporal>>;
  readonly target: TemporalTarget;
  /** R3: whether Temporal still is the one that our runs are in. */
  readonly namespace: NamespaceGuard;
  readonly alerts: AlertDeps;
  readonly deployment: string;
  readonly taskQueue: string;
  /** The configuration's, stored. */
  readonly policies: PolicyHashes;
  /** R20, of this configuration. */
  readonly coalescings: Coalescings;
  /** Where what is stored, which appending and the claim go by, is not what the configuration says. */
  readonly orderingChanges: readonly OrderingChange[];
  /** null: search attributes are off. */
  readonly searchAttributes: SearchAttributeNames | null;
  close(): Promise<void>;
}

/** The outbox database of a start that still has to reach Temporal. */
export interface ReachedDatabase {
  readonly pool: PgPool;
  /** As in DeliveryEnvironment. */
  readonly policies: PolicyHashes;
  /** Whether the start waits for Temporal. */
  readonly waitsForTemporal: () => boolean;
}

export interface OpenDeliveryOptions extends Pick<WaitOptions, 'signal' | 'onWaiting'> {
  /** R3: Temporal is this process's own, so that another namespace can only mean that the data of before is gone. */
  readonly adoptLost?: boolean;
  /** Called once the database has answered. What it answers is stopped before anything is closed, also where the start fails. */
  readonly onDatabase?: (reached: ReachedDatabase) => { stop(): Promise<void> };
}

export async function openDeliveryEnvironment(
  { settings, config, log, sdkMetrics = null }: RoleContext,
  target: TemporalTarget,
  options: OpenDeliveryOptions,
): Promise<DeliveryEnvironment> {
  const { adoptLost = false, signal, onWaiting } = options;
  const waiting = { log, signal, onWaiting };
  let waitsForTemporal = false;
  const untilTemporalAnswers = async <T>(attempt: () => Promise<T>): Promise<T> => {
    const waits = (sentence: string) => {
      waitsForTemporal = true;
      onWaiting?.(sentence);
    };
    const answer = await untilItAnswers('Temporal', attempt, { ...waiting, onWaiting: waits });
    waitsForTemporal = false;
    return answer;
  };
  const pool = createPool(requireSetting(settings.databaseUrl, 'OUTBOX_DATABASE_URL'), {
    max: settings.poolSize,
    applicationName: 'temporal-outbox delivery',
    onConnectionLost: (error) => log.warn({ err: error }, 'database.connection_lost'),
  });
  const undo: (() => Promise<unknown>)[] = [() => pool.end()];
  let early: { stop(): Promise<void> } | undefined;
  const close = async () => {
    await early?.stop();
    for (const step of undo) await step();
  };
  try {
    // Before anything is prepared on a connection that may not be ours the next time.
    await untilItAnswers('the outbox database', () => refuseTransactionPooling(pool, 'outbox'), waiting);
    const store = createDeploymentStore(pool);
    const stored = await untilItAnswers(
      'the outbox database',
      inOutbox(() => store.readName()),
      waiting,
    );
    checkDeployment(stored, settings.deployment);
    const policies = resolvePolicies(config.policies);
    const { hashes, bodies } = hashPolicies(policies);
    await untilItAnswers(
      'the outbox database',
      inOutbox(() => store.storePolicies(bodies)),
      waiting,
    );
    const orderings = await untilItAnswers(
      'the outbox database',
      inOutbox(() => createOrderingStore(pool).read()),
      waiting,
    );

    early = options.onDatabase?.({ pool, policies: hashes, waitsForTemporal: () => waitsForTemporal });
    const connect = async () => {
      await installRuntime(log, sdkMetrics);
      return connectTemporal(target, { signal });
    };
    const connection = await untilTemporalAnswers(connect);
    undo.unshift(() => connection.close());
    const namespaceId = await untilTemporalAnswers(() => readNamespaceId(connection, target));
    const kept = await untilItAnswers(
      'the outbox database',
      inOutbox(() => store.keepNamespaceId(namespaceId)),
      waiting,
    );
    if (kept !== namespaceId) {
      if (!adoptLost) throw new StartRefusedError(otherNamespace(target, { kept, found: namespaceId }));
      const adopting = inOutbox(() => adoptNamespace(pool, namespaceId, settings.deployment));
      const { started } = await untilItAnswers('the outbox database', adopting, waiting);
      log.warn({ kept, namespaceId, started }, 'namespace.adopted');
    }
    const alerts = { alerts: createAlertStore(pool), log };
    const namespace = createNamespaceGuard({
      ...alerts,
      readActual: () => readNamespaceId(connection, target, NAMESPACE_TIMEOUT_MS),
      readStored: () => store.readNamespaceId(),
    });
    const { searchAttributes: mode, searchAttributePrefix: prefix } = settings;
    const prepare = () =>
      prepareSearchAttributes(connection, { namespace: target.namespace, prefix, mode }).catch((error: unknown) => {
        throw isAway(error) ? awayError(target.address, error) : error;
      });
    await untilTemporalAnswers(prepare);
    const probe = createTemporalProbe(connection);
    return {
      pool,
      findProblems: async () => {
        const [database, temporal] = await Promise.all([store.ping(), probe()]);
        return {
          ...(database ? {} : { database: 'the outbox database does not answer' }),
          ...(temporal ? {} : { temporal: `Temporal at ${target.address} does not answer` }),
        };
      },
      doesTemporalAnswer: probe,
      connection,
      namespace,
      alerts,
      target,
      deployment: settings.deployment,
      taskQueue: settings.taskQueue ?? defaultTaskQueue(settings.deployment),
      policies: hashes,
      coalescings: policies.coalescings,
      orderingChanges: differences(orderings, policies.orderings),
      searchAttributes: mode === 'off' ? null : searchAttributeNames(prefix),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Asked at the start only: while a role runs the same answers are waited out, for a database being restored gives them, too. */
const inOutbox =
  <T>(work: () => Promise<T>) =>
  () =>
    explainingDatabase('outbox', work);

/** @throws ConfigurationError that quotes nothing of the profile file */
export function readTarget(environment: Environment): TemporalTarget {
  try {
    return readTemporalTarget(environment);
  } catch (error) {
    // Its first line: the rest quotes the file, where an API key may stand.
    const reason = (error instanceof Error ? error.message : String(error)).split('\n')[0];
    throw new ConfigurationError([`Temporal's own variables or profile file: ${reason}`], { cause: error });
  }
}

const NAMESPACE_TIMEOUT_MS = 3_000;

/** R3: what this server knows of our runs would be wrong, and every start on it a second one. */
function otherNamespace({ address, namespace }: TemporalTarget, ids: { kept: string; found: string }): string {
  return (
    `Temporal at ${address}: namespace "${namespace}" is not the one that this outbox's runs are in (expected id ` +
    `${ids.kept}, got ${ids.found}): if the address or the namespace is wrong, mend TEMPORAL_ADDRESS or ` +
    'TEMPORAL_NAMESPACE; if what Temporal kept is lost for good, run `outbox temporal adopt --lost`'
  );
}
