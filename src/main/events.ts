/** `outbox events blocked`: what waits behind a dead event, on the outbox database. */
import { loadSettings, requireSetting } from '../infrastructure/config/load-settings.js';
import { processEnvironment } from '../infrastructure/config/process-environment.js';
import { createOrderingStore } from '../infrastructure/prisma/ordering-store.js';
import { createPool } from '../infrastructure/prisma/pg-pool.js';
import { explainingDatabase } from './explain-database.js';
import { print } from './terminal.js';

export async function runBlocked(options: {
  readonly type?: string;
  readonly destination?: string;
  readonly tenant?: string;
  readonly limit: number;
  readonly after?: string;
  readonly json?: boolean;
}): Promise<number> {
  const settings = loadSettings(processEnvironment(), ['events']);
  const pool = createPool(requireSetting(settings.databaseUrl, 'OUTBOX_DATABASE_URL'), { max: 1 });
  try {
    const { type: eventType = null, destination = null, tenant: tenantId = null, limit, after = null } = options;
    const filter = { eventType, destination, tenantId };
    const page = await explainingDatabase('outbox', () =>
      createOrderingStore(pool).listBlocked(filter, { after, limit }),
    );
    if (options.json) {
      print(JSON.stringify(page));
      return 0;
    }
    for (const { head, aggregate, waiting, ...lane } of page.items) {
      const name = aggregate === null ? '-' : `${aggregate.type}/${aggregate.id}`;
      const behind = waiting === 1_000 ? '1000 or more wait' : `${waiting} ${waiting === 1 ? 'waits' : 'wait'}`;
      const dead = `version ${head.version} dead ${head.code ?? '-'} ${head.deadSince ?? '-'}`;
      print([head.eventId, lane.eventType, lane.destination, lane.tenantId ?? '-', name, dead, behind].join('  '));
    }
    print(
      page.next !== null ? `more: --after ${page.next}` : page.items.length === 0 ? 'none is blocked' : 'that is all',
    );
    return 0;
  } finally {
    await pool.end();
  }
}
