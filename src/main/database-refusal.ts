/** PostgreSQL 18, appendix A; and what Prisma makes of it ("Error reference", P1…). */
const REFUSALS: readonly (readonly [codes: RegExp, sentence: string])[] = [
  [/^(28\d{3}|P1000)$/, 'refuses the credentials: look at user and password in its URL, and at pg_hba.conf'],
  [/^(3D000|P1003)$/, 'has no database of the name in its URL: create it, or mend the URL'],
  [/^(42501|P1010)$/, 'refuses this user what the role needs: grant it (see docs/running.md), or use another user'],
];

/**
 * Why a database that answers will not serve, as the end of a sentence that begins with its name; null where it may yet,
 * or for any other error. Asked at a role's start only: while it runs the same errors are waited out, for a database that
 * is being restored shows them, too.
 */
export function databaseRefusal(error: unknown): string | null {
  for (let at = error, depth = 0; typeof at === 'object' && at !== null && depth < 5; depth += 1) {
    const { code, cause } = at as { code?: unknown; cause?: unknown };
    const found = typeof code === 'string' ? REFUSALS.find(([codes]) => codes.test(code)) : undefined;
    if (found !== undefined) return found[1];
    at = cause;
  }
  return null;
}
