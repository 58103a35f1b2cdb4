import { PrismaPg } from '@prisma/adapter-pg';
import { PrismaClient as AuditPrismaClient } from './generated/audit/client.js';
import { PrismaClient as OutboxPrismaClient } from './generated/outbox/client.js';
import type { PgPool } from './pg-pool.js';

export type OutboxPrisma = OutboxPrismaClient;
export type AuditPrisma = AuditPrismaClient;

/**
 * Prisma over the process's one pool (createPool): it takes its connections beside the hot statements, and a connection
 * that the server ends costs one failed call, never the process. `$disconnect()` leaves the pool open; close the pool.
 * A PrismaClientValidationError (a call that does not type-check) prints its arguments: log its name, not its message.
 */
export function createOutboxPrisma(pool: PgPool): OutboxPrisma {
  return new OutboxPrismaClient({ adapter: adapterOver(pool, 'outbox'), errorFormat: 'minimal' });
}

/** As createOutboxPrisma, for the audit database. */
export function createAuditPrisma(pool: PgPool): AuditPrisma {
  return new AuditPrismaClient({ adapter: adapterOver(pool, 'audit'), errorFormat: 'minimal' });
}

/**
 * The adapter takes a pool only by `instanceof` of its own copy of pg, and takes any other for a configuration: it would
 * connect to localhost. Beside an application that pins another pg there are two copies, so the pool is handed over by
 * name (adapter-pg 7.10.0, pinned; a test holds it).
 */
function adapterOver(pool: PgPool, schema: 'outbox' | 'audit'): PrismaPg {
  const adapter: object = new PrismaPg({}, { schema });
  return Object.assign(adapter, { externalPool: pool, config: pool.options }) as unknown as PrismaPg;
}
