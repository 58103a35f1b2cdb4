/** `outbox dlq kinds`: open dead letters by event type and code, on the outbox database. */
import type { LetterKind } from '../application/delivery/dead-letters/ports.js';
import { createLetterKinds } from '../infrastructure/prisma/letter-kinds.js';
import { withDatabase } from './dlq.js';
import { print } from './terminal.js';

export function runKinds(options: {
  readonly tenant?: string;
  readonly destination?: string;
  readonly json?: boolean;
}): Promise<number> {
  return withDatabase(async (pool) => {
    const { tenant: tenantId = null, destination = null, json } = options;
    const kinds = await createLetterKinds(pool).listKinds({ tenantId, destination });
    if (json) {
      print(JSON.stringify(kinds));
      return 0;
    }
    for (const kind of kinds.items) print(describe(kind));
    print(kinds.items.length === 0 ? 'none is open' : kinds.more ? 'there are more kinds than these' : 'that is all');
    return 0;
  });
}

function describe({ eventType, code, count, first, last, destinations, perHour }: LetterKind): string {
  const ofLate = perHour.reduce((sum, n) => sum + n, 0);
  return [
    `${count}`.padStart(7),
    eventType,
    code,
    `${first} to ${last}`,
    `${ofLate} in 24 hours`,
    `${perHour.at(-1) ?? 0} in the last one`,
    destinations.join(', '),
  ].join('  ');
}
