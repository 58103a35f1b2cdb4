/** Where Temporal is, by Temporal's own variables and profile file, and whether it is the one that was meant. */
import { isGrpcServiceError } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { NativeConnection, type NativeConnectionOptions } from '@temporalio/worker';

export interface TemporalOverrides {
  /** host:port, over TEMPORAL_ADDRESS and the profile. */
  readonly address?: string | undefined;
  readonly namespace?: string | undefined;
}

export interface TemporalTarget {
  readonly connectionOptions: NativeConnectionOptions;
  readonly address: string;
  /** `default` unless configured. */
  readonly namespace: string;
  /** Whether anything names the address; it is Temporal's usual local one otherwise. */
  readonly named: boolean;
}

/**
 * Reads TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_API_KEY, TEMPORAL_TLS… and the profile file by
 * `@temporalio/envconfig`. Throws what that package throws for a broken file.
 */
export function readTemporalTarget(
  environment: Readonly<Record<string, string | undefined>>,
  overrides: TemporalOverrides = {},
): TemporalTarget {
  const set = Object.entries(environment).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const { connectionOptions, namespace } = loadClientConnectConfig({ overrideEnvVars: Object.fromEntries(set) });
  const named = overrides.address ?? (connectionOptions.address || undefined); // empty is unset
  const address = named ?? 'localhost:7233';
  return {
    connectionOptions: { ...connectionOptions, address },
    address,
    namespace: overrides.namespace ?? namespace ?? 'default',
    named: named !== undefined,
  };
}

/** A server of our own: exactly this address and namespace, and nothing of what the user has for other servers. */
export function plainTemporalTarget(address: string, namespace: string): TemporalTarget {
  return { connectionOptions: { address }, address, namespace, named: true };
}

/** One native connection serves the worker and the client: eager starts need them to share it. */
export async function connectTemporal(target: TemporalTarget): Promise<NativeConnection> {
  try {
    return await NativeConnection.connect(target.connectionOptions);
  } catch (error) {
    throw new TemporalAwayError(`expected a Temporal server at ${target.address}, but connecting failed`, {
      cause: error,
    });
  }
}

/** Nothing answers at the address: it may be up later. */
export class TemporalAwayError extends Error {
  override readonly name = 'TemporalAwayError';
}

/** It answers, and is not as it was meant to be: waiting does not mend it. Says what is, and what to do. */
export class TemporalUnfitError extends Error {
  override readonly name = 'TemporalUnfitError';
}

/**
 * The namespace's UUID.
 * @throws TemporalUnfitError that names the namespace and the address when there is no such namespace, or no access to
 * it; TemporalAwayError when the server does not answer for it at the moment
 */
export async function readNamespaceId(connection: NativeConnection, target: TemporalTarget): Promise<string> {
  try {
    const answer = await connection.withDeadline(Date.now() + 10_000, () =>
      connection.workflowService.describeNamespace({ namespace: target.namespace }),
    );
    return answer.namespaceInfo?.id ?? '';
  } catch (error) {
    if (isAway(error)) throw awayError(target.address, error);
    const missing = isGrpcServiceError(error) && Number(error.code) === GRPC.notFound;
    const what = missing ? 'has no such namespace: set TEMPORAL_NAMESPACE or create it' : 'refuses to answer for it';
    throw new TemporalUnfitError(`Temporal at ${target.address}: namespace "${target.namespace}": the server ${what}`, {
      cause: error,
    });
  }
}

/** Whether a call failed for what may pass: the server is away, busy, or slow. */
export function isAway(error: unknown): boolean {
  return isGrpcServiceError(error) && AWAY.has(Number(error.code));
}

export function awayError(address: string, cause: unknown): TemporalAwayError {
  return new TemporalAwayError(`expected a Temporal server at ${address}, but it does not answer`, { cause });
}

/** grpc.status (https://grpc.github.io/grpc/core/md_doc_statuscodes.html). */
const GRPC = { cancelled: 1, deadlineExceeded: 4, notFound: 5, resourceExhausted: 8, internal: 13, unavailable: 14 };
const AWAY: ReadonlySet<number> = new Set([
  GRPC.cancelled,
  GRPC.deadlineExceeded,
  GRPC.resourceExhausted,
  GRPC.internal,
  GRPC.unavailable,
]);
