/** `outbox temporal adopt`: how the outbox and its Temporal namespace stand to each other, and going on with another (R3). */

import { COUNTED_UP_TO } from '../application/delivery/destinations/ports.js';
import { loadSettings, requireSetting } from '../infrastructure/config/load-settings.js';
import { processEnvironment } from '../infrastructure/config/process-environment.js';
import { type Adoption, adoptNamespace, readAdoption } from '../infrastructure/prisma/adopt-namespace.js';
import { createPool } from '../infrastructure/prisma/pg-pool.js';
import { connectTemporal, readNamespaceId } from '../infrastructure/temporal/connect-temporal.js';
import { checkDeployment } from './check-deployment.js';
import { readTarget } from './delivery-environment.js';
import { explainingDatabase } from './explain-database.js';
import { print } from './terminal.js';

/** Without `lost` it only looks: exit code 0 where both belong together, 1 where something is to be done. */
export async function runTemporalAdopt(options: { lost?: boolean; json?: boolean }): Promise<number> {
  const environment = processEnvironment();
  const settings = loadSettings(environment, ['temporal adopt']);
  const target = readTarget(environment);
  const url = requireSetting(settings.databaseUrl, 'OUTBOX_DATABASE_URL');
  const pool = createPool(url, { max: 1, applicationName: 'temporal-outbox temporal adopt' });
  try {
    const outbox = await explainingDatabase('outbox', () => readAdoption(pool));
    checkDeployment(outbox?.deployment ?? null, settings.deployment);
    const connection = await connectTemporal(target);
    const found = await readNamespaceId(connection, target).finally(() => connection.close());
    const where = { address: target.address, namespace: target.namespace, found };
    const standing = { ...(outbox as Adoption), ...where };
    if (!options.lost) return look(standing, options);
    const { started } = await explainingDatabase('outbox', () => adoptNamespace(pool, found, settings.deployment));
    if (options.json) print(JSON.stringify({ ...standing, started, adopted: true }));
    else {
      print(`adopted: the runs are in namespace "${target.namespace}" (${found}) from now on`);
      print(
        `${count(started)} started before are dispatched again under a new epoch while a relay runs, some 200 a second`,
      );
    }
    return 0;
  } finally {
    await pool.end();
  }
}

const count = (n: number) => (n < COUNTED_UP_TO ? `${n}` : `${n} or more`);

interface Standing extends Adoption {
  readonly address: string;
  readonly namespace: string;
  readonly found: string;
}

function look(standing: Standing, { json }: { json?: boolean }): number {
  const { namespaceId, found, address, namespace, started, adopting, stoppedReason } = standing;
  const same = namespaceId === null || namespaceId === found;
  const code = same && stoppedReason === null ? 0 : 1;
  if (json) {
    print(JSON.stringify({ ...standing, adopted: false }));
    return code;
  }
  print(`the outbox's runs are in namespace ${namespaceId ?? '(none yet: the first role that starts keeps its own)'}`);
  print(`Temporal at ${address}: namespace "${namespace}" is ${found}${same ? '' : ', another one: no role starts'}`);
  if (adopting) print('an adoption goes on: a relay has to run for it');
  if (stoppedReason !== null) print(`the reconciler has stopped itself: ${stoppedReason} (docs/reconciler.md)`);
  if (code === 0) return code;
  if (!same) print('If the address or the namespace is wrong: mend TEMPORAL_ADDRESS or TEMPORAL_NAMESPACE.');
  print('If what Temporal kept of the runs is lost for good: `outbox temporal adopt --lost`. It goes on with this');
  print(`namespace and dispatches ${count(started)} started events again; those that still run are superseded.`);
  return code;
}
