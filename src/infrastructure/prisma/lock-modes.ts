/** Which lock a migration's file takes of a table, so that it can be taken beforehand: no stronger than its clauses need. */

/** PostgreSQL 15-18, table 13.2; the later one stands in the way of all that the earlier ones do. */
export type LockMode = 'SHARE UPDATE EXCLUSIVE' | 'SHARE' | 'SHARE ROW EXCLUSIVE' | 'ACCESS EXCLUSIVE';

/** Storage parameters that vacuum and the planner read, and nobody who reads or writes rows. */
const HARMLESS_PARAMETER = /^(toast\.)?(autovacuum_\w+|fillfactor)\s*(=|$)/i;
/** ALTER TABLE of PostgreSQL 15, "Notes" and each action: what is not here takes ACCESS EXCLUSIVE, known to us or not. */
const WEAKER_ACTIONS: readonly (readonly [RegExp, LockMode])[] = [
  [/^VALIDATE CONSTRAINT\b/i, 'SHARE UPDATE EXCLUSIVE'],
  [/^ALTER (COLUMN )?\S+ SET STATISTICS\b/i, 'SHARE UPDATE EXCLUSIVE'],
  [/^ADD (CONSTRAINT \S+ )?FOREIGN KEY\b/i, 'SHARE ROW EXCLUSIVE'],
  [/^(ENABLE|DISABLE) (REPLICA |ALWAYS )?TRIGGER\b/i, 'SHARE ROW EXCLUSIVE'],
];

/** The strongest that one of its statements takes of `outbox.<table>`; null: none asks for more than a row's. */
export function lockModeOf(sql: string, table: string): LockMode | null {
  const named = `(?:"?outbox"?\\.)?"?${table}"?(?![\\w"])`;
  const altering = new RegExp(`^ALTER TABLE (?:IF EXISTS )?(?:ONLY )?${named} ?(.*)$`, 'i');
  const others: readonly (readonly [RegExp, LockMode])[] = [
    [new RegExp(`^DROP TRIGGER .*? ON ${named}`, 'i'), 'ACCESS EXCLUSIVE'],
    [new RegExp(`^DROP TABLE .*?${named}`, 'i'), 'ACCESS EXCLUSIVE'],
    [new RegExp(`^CREATE (?:OR REPLACE )?(?:CONSTRAINT )?TRIGGER .*? ON ${named}`, 'i'), 'SHARE ROW EXCLUSIVE'],
    // Of the table that a foreign key leads to.
    [new RegExp(`\\bREFERENCES ${named}`, 'i'), 'SHARE ROW EXCLUSIVE'],
    [new RegExp(`^CREATE (?:UNIQUE )?INDEX (?:.*? )?ON (?:ONLY )?${named}`, 'i'), 'SHARE'],
  ];
  const modes = statementsOf(sql).flatMap((statement) => [
    ...others.flatMap(([of, mode]) => (of.test(statement) ? [mode] : [])),
    ...clausesOf(altering.exec(statement)?.[1] ?? '').map(modeOfAction),
  ]);
  return modes.length === 0 ? null : modes.reduce(coverBoth);
}

/** Their words, one blank apart. What stands in a function's body is taken for more statements: a lock too many at worst. */
function statementsOf(sql: string): readonly string[] {
  const bare = sql.replace(/--.*$/gm, '').replace(/\/\*.*?\*\//gs, '');
  return bare.split(';').map((statement) => statement.replace(/\s+/g, ' ').trim());
}

/** At the commas that stand in no parentheses. */
function clausesOf(actions: string): readonly string[] {
  let depth = 0;
  let clauses = [''];
  for (const char of actions) {
    if (char === '(') depth += 1;
    if (char === ')') depth -= 1;
    if (char === ',' && depth === 0) clauses = [...clauses, ''];
    else clauses.push(`${clauses.pop()}${char}`);
  }
  return clauses.map((clause) => clause.trim()).filter((clause) => clause !== '');
}

function modeOfAction(action: string): LockMode {
  const parameters = /^(?:RE)?SET \(([^)]*)\)$/i.exec(action)?.[1]?.split(',');
  if (parameters?.every((one) => HARMLESS_PARAMETER.test(one.trim()))) return 'SHARE UPDATE EXCLUSIVE';
  return WEAKER_ACTIONS.find(([of]) => of.test(action))?.[1] ?? 'ACCESS EXCLUSIVE';
}

/** Once, instead of one after the other: a lock that is raised later waits out of order. */
function coverBoth(one: LockMode, other: LockMode): LockMode {
  if (one === other) return one;
  return [one, other].includes('ACCESS EXCLUSIVE') ? 'ACCESS EXCLUSIVE' : 'SHARE ROW EXCLUSIVE';
}
