import { sql, type Transaction } from 'kysely';

/**
 * Kysely's transaction for recordEvent: its `sql` tag takes what recordEvent gives.
 *
 *   await db.transaction().execute(async (trx) => {
 *     await trx.insertInto('users').values({ id, name }).execute();
 *     await recordEvent(kyselyTransaction(trx), { eventName: 'auth.user.signed_up.v1', … });
 *   });
 */
export function kyselyTransaction<Database>(trx: Transaction<Database>) {
  const run = (strings: TemplateStringsArray, ...values: unknown[]) => sql(strings, ...values).execute(trx);
  return { $queryRaw: run, $executeRaw: run };
}
