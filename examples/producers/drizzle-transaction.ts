import { type SQL, sql } from 'drizzle-orm';

/**
 * Drizzle's transaction for recordEvent: its `sql` tag takes what recordEvent gives.
 *
 *   await db.transaction(async (tx) => {
 *     await tx.insert(users).values({ id, name });
 *     await recordEvent(drizzleTransaction(tx), { eventName: 'auth.user.signed_up.v1', … });
 *   });
 */
export function drizzleTransaction(tx: { execute(query: SQL): PromiseLike<unknown> }) {
  const run = (strings: TemplateStringsArray, ...values: unknown[]) => tx.execute(sql(strings, ...values));
  return { $queryRaw: run, $executeRaw: run };
}
