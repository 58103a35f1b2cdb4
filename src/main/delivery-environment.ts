/**
 * What relay and worker stand on: the outbox database with its deployment, the Temporal namespace with its search
 * attributes. Waits for both instead of failing, so that the order in which machines come up does not matter; what is
 * wrong rather than away (another deployment, no such namespace, a missing attribute) ends the start with a sentence.
 */

import { policyHash } from '../application/delivery/policy-hash.js';
import { defaultTaskQueue } from '../domain/delivery/deployment.js';
import { DEFAULT_POLICY } from '../domain/delivery/policy.js';
import { ConfigurationError, type Environment, requireSetting } from '../infrastructure/config/load-settings.js';
import { createDeploymentStore } from '../infrastructure/prisma/deployment-store.js';
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
import { explainingDatabase } from './explain-database.js';
import type { RoleContext } from './role.js';
import { StartRefusedError } from './start-refused-error.js';
import { untilItAnswers, type WaitOptions } from './until-it-answers.js';

export interface DeliveryEnvironment {
  readonly pool: PgPool;
  /** What of both does not answer at the moment, by part; empty when all is well. Bounded in time. */
  findProblems(): Promise<Record<string, string>>;
  readonly connection: Awaited<ReturnType<typeof connectTemporal>>;
  readonly target: TemporalTarget;
  readonly deployment: string;
  readonly taskQueue: string;
  readonly policyHash: string;
  /** null: search attributes are off. */
  readonly searchAttributes: SearchAttributeNames | null;
  close(): Promise<void>;
}

export async function openDeliveryEnvironment(
  { settings, log }: RoleContext,
  target: TemporalTarget,
  wait: Pick<WaitOptions, 'signal' | 'onWaiting'>,
): Promise<DeliveryEnvironment> {
  const waiting = { log, ...wait };
  const pool = createPool(requireSetting(settings.databaseUrl, 'OUTBOX_DATABASE_URL'), {
    max: settings.poolSize,
    applicationName: 'temporal-outbox delivery',
    onConnectionLost: (error) => log.warn({ err: error }, 'database.connection_lost'),
  });
  const undo: (() => Promise<unknown>)[] = [() => pool.end()];
  try {
    const store = createDeploymentStore(pool);
    const stored = await untilItAnswers(
      'the outbox database',
      inOutbox(() => store.readName()),
      waiting,
    );
    checkDeployment(stored, settings.deployment);
    const hash = policyHash(DEFAULT_POLICY);
    const storePolicy = inOutbox(() => store.storePolicy(hash, DEFAULT_POLICY));
    await untilItAnswers('the outbox database', storePolicy, waiting);

    const connect = () => {
      installRuntime(log);
      return connectTemporal(target, { signal: wait.signal });
    };
    const connection = await untilItAnswers('Temporal', connect, waiting);
    undo.unshift(() => connection.close());
    await untilItAnswers('Temporal', () => readNamespaceId(connection, target), waiting);
    const { searchAttributes: mode, searchAttributePrefix: prefix } = settings;
    const prepare = () =>
      prepareSearchAttributes(connection, { namespace: target.namespace, prefix, mode }).catch((error: unknown) => {
        throw isAway(error) ? awayError(target.address, error) : error;
      });
    await untilItAnswers('Temporal', prepare, waiting);
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
      connection,
      target,
      deployment: settings.deployment,
      taskQueue: settings.taskQueue ?? defaultTaskQueue(settings.deployment),
      policyHash: hash,
      searchAttributes: mode === 'off' ? null : searchAttributeNames(prefix),
      close: async () => {
        for (const step of undo) await step();
      },
    };
  } catch (error) {
    for (const step of undo) await step();
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

const NOT_MIGRATED = 'the outbox database is not migrated: run `outbox migrate deploy` first';

/** R1: workflow ids and the task queue carry the name, so a wrong one would start every event a second time. */
export function checkDeployment(stored: string | null, configured: string): void {
  if (stored === configured) return;
  throw new StartRefusedError(
    stored === null
      ? NOT_MIGRATED
      : `the outbox database belongs to deployment "${stored}", OUTBOX_DEPLOYMENT says "${configured}": set OUTBOX_DEPLOYMENT=${stored}, or name another database`,
  );
}
