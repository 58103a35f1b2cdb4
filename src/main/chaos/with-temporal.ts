/** Temporal as the run itself asks it: with the TLS and the key that the roles have, and not through their proxy. */
import { Client } from '@temporalio/client';
import type { NativeConnection } from '@temporalio/worker';
import { connectTemporal, readTemporalTarget } from '../../infrastructure/temporal/connect-temporal.js';
import type { ChaosWorld } from './ports.js';

export interface OpenTemporal {
  readonly connection: NativeConnection;
  readonly namespace: string;
  readonly client: Client;
}

/** Connected for as long as `use` takes. Rejects as `connectTemporal` and `use` do. */
export async function withTemporal<T>(
  { environment, temporal }: Pick<ChaosWorld, 'environment' | 'temporal'>,
  use: (open: OpenTemporal) => Promise<T>,
): Promise<T> {
  const target = readTemporalTarget(environment, temporal);
  const connection = await connectTemporal(target);
  const { namespace } = target;
  try {
    return await use({ connection, namespace, client: new Client({ connection, namespace }) });
  } finally {
    await connection.close();
  }
}
