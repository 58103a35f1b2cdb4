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

/** A server that takes the connection and says nothing would hold it for ever. */
const CONNECT_TIMEOUT_MS = 15_000;

/**
 * One native connection serves the worker and the client: eager starts need them to share it.
 * @throws TemporalAwayError for what may pass; TemporalUnfitError for an address, credentials or certificates that
 * waiting does not mend; the reason of `signal` as soon as it is aborted
 */
export async function connectTemporal(
  target: TemporalTarget,
  { timeoutMs = CONNECT_TIMEOUT_MS, signal }: { readonly timeoutMs?: number; readonly signal?: AbortSignal } = {},
): Promise<NativeConnection> {
  let timer: NodeJS.Timeout | undefined;
  let onAbort = () => {};
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing came within ${timeoutMs / 1_000} s`)), timeoutMs);
    onAbort = () => reject(signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
  const connecting = Promise.resolve().then(() => NativeConnection.connect(target.connectionOptions));
  try {
    return await Promise.race([connecting, late]);
  } catch (error) {
    // One that comes after its time is closed: nobody waits for it any more.
    connecting.then(
      (connection) => connection.close(),
      () => undefined,
    );
    signal?.throwIfAborted();
    const mend = mendOf(error);
    if (mend !== null) throw new TemporalUnfitError(`Temporal at ${target.address}: ${mend}`, { cause: error });
    throw new TemporalAwayError(
      `expected a Temporal server at ${target.address}, but connecting failed; if it stays so, look at the address and at the TLS settings of both sides`,
      { cause: error },
    );
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}

/**
 * What connecting failed for where waiting does not mend it; null where it may. The SDK (1.23.0) has no codes here, only
 * its native core's text; what that leaves open (a server that closes the connection) counts as away.
 */
function mendOf(error: unknown): string | null {
  // By shape: errors of the native core may be of another realm.
  const { name, message } = error as Partial<Error>;
  if (name === 'TypeError') return 'expected TEMPORAL_ADDRESS as host:port';
  return MENDS.find(([pattern]) => pattern.test(String(message)))?.[1] ?? null;
}

const MENDS: readonly (readonly [pattern: RegExp, mend: string])[] = [
  [
    /does not have valid authentication credentials|does not have permission/,
    'the server refuses the credentials: look at TEMPORAL_API_KEY, or the client certificate in TEMPORAL_TLS_CLIENT_CERT_PATH',
  ],
  [
    /fatal alert: (CertificateRequired|BadCertificate|CertificateUnknown|CertificateExpired|UnknownCA)/,
    'the server refuses the client certificate: look at TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_TLS_CLIENT_KEY_PATH',
  ],
  [
    /InvalidCertificate/,
    "the server's certificate is not trusted: look at its name and dates, and at TEMPORAL_TLS_SERVER_CA_CERT_PATH",
  ],
  [/PrivateKeyParseError/, 'the client key cannot be read: expected PEM in TEMPORAL_TLS_CLIENT_KEY_PATH'],
  [/InvalidContentType/, 'TLS is on and the server does not speak it: set TEMPORAL_TLS=false, or mend the address'],
  [/Operation is not implemented/, 'something else than Temporal answers there: look at TEMPORAL_ADDRESS'],
];

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
export async function readNamespaceId(
  connection: NativeConnection,
  target: TemporalTarget,
  timeoutMs = 10_000,
): Promise<string> {
  let id: string;
  try {
    const answer = await connection.withDeadline(Date.now() + timeoutMs, () =>
      connection.workflowService.describeNamespace({ namespace: target.namespace }),
    );
    id = answer.namespaceInfo?.id?.toLowerCase() ?? '';
  } catch (error) {
    if (isAway(error)) throw awayError(target.address, error);
    const missing = isNotFound(error);
    const what = missing ? 'has no such namespace: set TEMPORAL_NAMESPACE or create it' : 'refuses to answer for it';
    throw new TemporalUnfitError(`Temporal at ${target.address}: namespace "${target.namespace}": the server ${what}`, {
      cause: error,
    });
  }
  if (!UUID.test(id)) {
    throw new TemporalUnfitError(
      `Temporal at ${target.address}: namespace "${target.namespace}": expected its id to be a UUID, by which lost runs are told from a wrong server, got "${id}"`,
    );
  }
  return id;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Whether a call failed for what may pass: the server is away, busy, or slow. */
export function isAway(error: unknown): boolean {
  return isGrpcServiceError(error) && AWAY.has(Number(error.code));
}

/** Whether it answered that what was asked about is not there. */
export function isNotFound(error: unknown): boolean {
  return isGrpcServiceError(error) && Number(error.code) === GRPC.notFound;
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

const PROBE_TIMEOUT_MS = 2_000;
const PROBE_FRESH_MS = 3_000;

/**
 * Whether the server answers for its own health; asked at most once in three seconds, however many ask. Never visibility,
 * which has a rate of its own.
 */
export function createTemporalProbe(connection: NativeConnection): () => Promise<boolean> {
  let askedAt = Number.NEGATIVE_INFINITY;
  let answer: Promise<boolean> = Promise.resolve(true);
  return () => {
    if (performance.now() - askedAt >= PROBE_FRESH_MS) {
      askedAt = performance.now();
      answer = connection
        .withDeadline(Date.now() + PROBE_TIMEOUT_MS, () => connection.workflowService.getSystemInfo({}))
        .then(
          () => true,
          () => false,
        );
    }
    return answer;
  };
}
