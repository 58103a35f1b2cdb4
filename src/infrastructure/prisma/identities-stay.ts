import { type PgPool, runStatement } from './pg-pool.js';

const TIMEOUT_MS = 5_000;
/** Without one of these an identity may go, and whatever is sent with it again is recorded again. */
const KEEPERS = ['record_key_append_only', 'record_key_no_truncate'];

/** Those of the triggers that keep the identities of the audit log which are off or gone; none: identities stay for ever. */
export async function findIdentityGaps(pool: PgPool): Promise<readonly string[]> {
  const statement = { name: 'identities_stay', text: MISSING, values: [KEEPERS], timeoutMs: TIMEOUT_MS };
  return (await runStatement<{ name: string }>(pool, statement)).map(({ name }) => name);
}

const MISSING = `
SELECT k.name FROM unnest($1::text[]) AS k(name)
WHERE to_regclass('audit.record_key') IS NOT NULL AND NOT EXISTS (SELECT FROM pg_trigger t
  WHERE t.tgrelid = to_regclass('audit.record_key') AND t.tgname = k.name AND t.tgenabled IN ('A', 'O'))
ORDER BY k.name`;
