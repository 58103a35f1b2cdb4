import { type Finding, orOk, unknown, warning, wrong } from './findings.js';

export type Database = 'outbox' | 'audit';

/** What `outbox migrate status` says of one database. */
export interface MigrationFacts {
  readonly pending: readonly string[];
  readonly unknown: readonly string[];
  readonly changed: readonly string[];
  readonly failed: readonly string[];
}

/**
 * What a schema is made of, by name: `column event.id` to `uuid NOT NULL`, `index delivery.delivery_waiting` to its definition,
 * `enabled event.event_insert_only` to `O`, `A`, `R` or `D` (pg_trigger.tgenabled).
 */
export type SchemaParts = Readonly<Record<string, string>>;

export interface SchemaFacts {
  readonly parts: SchemaParts;
  /** Indexes that no plan may use: broken off, or still being made. */
  readonly invalidIndexes: readonly string[];
  /** Partitions of the records that somebody can change, for a trigger is missing or is not enabled always. */
  readonly unguardedPartitions: readonly string[];
}

const SHOWN = 5;

export function judgeMigrations(database: Database, facts: MigrationFacts): readonly Finding[] {
  const id = 'schema.migrations';
  const found: Finding[] = [];
  if (facts.failed.length > 0) {
    found.push(
      wrong(
        id,
        `${database}: ${list(facts.failed)} began and never finished`,
        `mend the database, then set rolled_back_at (to run it again) or finished_at (if it stands) in ${database}._prisma_migrations`,
      ),
    );
  }
  if (facts.changed.length > 0) {
    found.push(
      wrong(
        id,
        `${database}: ${list(facts.changed)} is not the file that was applied`,
        'install the package whole, as it was published; a change belongs into a migration of its own',
      ),
    );
  }
  if (facts.pending.length > 0) {
    found.push(wrong(id, `${database}: ${list(facts.pending)} is not applied`, 'run `outbox migrate deploy`'));
  }
  if (facts.unknown.length > 0) {
    found.push(
      warning(
        id,
        `${database}: ${list(facts.unknown)} is applied, and not in this package`,
        'a newer release has migrated it: run that one everywhere, and this command from it',
      ),
    );
  }
  return orOk(found, id, `${database}: every migration is applied`);
}

/** `expected` null: the package does not carry it. `migrations` tells whether a comparison means anything. */
export function judgeSchema(
  database: Database,
  facts: SchemaFacts,
  expected: SchemaParts | null,
  migrations: MigrationFacts | null,
): readonly Finding[] {
  const invalid = facts.invalidIndexes.map((name) =>
    wrong(
      'schema.index',
      `${database}: the index ${name} is not valid: no statement uses it, and every write pays for it`,
      `where nobody is making it now (pg_stat_progress_create_index), REINDEX INDEX CONCURRENTLY ${database}.${name}`,
    ),
  );
  const unguarded = facts.unguardedPartitions.map((name) =>
    wrong(
      'schema.drift',
      `${database}: records in ${name} can be changed: a trigger that refuses it is missing or not enabled always`,
      'find out who did that, run `outbox audit verify`, then have the owner make the triggers as audit.ensure_partitions() does',
    ),
  );
  if (expected === null || migrations === null || migrations.pending.length + migrations.unknown.length > 0) {
    const why =
      expected === null
        ? 'this package does not carry what is expected'
        : migrations === null
          ? 'which migrations are applied is not known'
          : 'it is not migrated to exactly this release';
    return [
      unknown('schema.drift', `${database}: not compared: ${why}`),
      ...unguarded,
      ...(invalid.length > 0 ? invalid : [unknown('schema.index', `${database}: not compared: ${why}`)]),
    ];
  }
  const differences = compare(database, facts.parts, expected);
  return [
    ...orOk(
      [...differences.filter(({ id }) => id === 'schema.drift'), ...unguarded],
      'schema.drift',
      `${database}: as the migrations made it`,
    ),
    ...orOk(
      [...differences.filter(({ id }) => id === 'schema.index'), ...invalid],
      'schema.index',
      `${database}: every index is there and valid`,
    ),
  ];
}

/** Table settings are the autovacuum check's: a database administrator may mean them. */
function compare(database: Database, actual: SchemaParts, expected: SchemaParts): Finding[] {
  const names = [...new Set([...Object.keys(expected), ...Object.keys(actual)])].sort();
  const tables = new Set(Object.keys(expected).map(tableOf));
  return names.flatMap((name): Finding[] => {
    const [is, should] = [actual[name], expected[name]];
    const { kind, rest } = split(name);
    if (is === should || kind === 'settings') return [];
    const id = kind === 'index' ? 'schema.index' : 'schema.drift';
    if (should === undefined) {
      // What is not ours is told where it can break or slow what is: a column that must be given, a trigger, an index.
      if (!FOREIGN_MATTERS.has(kind) || !tables.has(tableOf(name))) return [];
      const todo = 'ask who made it: what we write pays for it, or may fail by it';
      return [warning(id, `${database}: ${name} is none of ours`, todo)];
    }
    // Of a trigger that is missing, which is told.
    if (is === undefined && kind === 'enabled') return [];
    if (is === undefined) return [wrong(id, `${database}: ${name} is missing`, mend(database, name, should))];
    if (kind === 'enabled') {
      return [
        wrong(
          id,
          `${database}: the trigger ${rest} is ${ENABLED[is] ?? is}, expected ${ENABLED[should] ?? should}`,
          'find out who did that and what was changed meanwhile (`outbox audit verify`, `outbox books`), then enable it again',
        ),
      ];
    }
    const detail = `${database}: ${name} is not as the migrations made it: expected ${cut(should)}, got ${cut(is)}`;
    return [wrong(id, detail, 'find out who changed it, and change it back')];
  });
}

function split(name: string): { readonly kind: string; readonly rest: string } {
  const space = name.indexOf(' ');
  return { kind: name.slice(0, space), rest: name.slice(space + 1) };
}

/** Of `index delivery.delivery_waiting`: `delivery`. Functions and sequences are of no table. */
function tableOf(name: string): string {
  const { kind, rest } = split(name);
  return kind === 'function' || kind === 'sequence' ? '' : (rest.split('.')[0] ?? '');
}

/** As a statement where there is one: by the tables' owner. */
function mend(database: Database, name: string, should: string): string {
  const { kind, rest } = split(name);
  const [table = '', part = ''] = rest.split('.');
  switch (kind) {
    case 'index':
      // A partitioned table's own index is made without it.
      return should.includes(' ON ONLY ')
        ? `make it again: ${should.replace(' ON ONLY ', ' ON ')}`
        : `make it again, beside what runs: ${should.replace(/^CREATE (UNIQUE )?INDEX /, 'CREATE $1INDEX CONCURRENTLY ')}`;
    case 'constraint':
      return `make it again: ALTER TABLE ${database}.${table} ADD CONSTRAINT ${part} ${should}`;
    case 'trigger':
      return `find out who dropped it and what was changed meanwhile; then make it again: ${should}`;
    default:
      return `make it again as the package's prisma/${database}/migrations do`;
  }
}

const FOREIGN_MATTERS: ReadonlySet<string> = new Set(['column', 'constraint', 'index', 'trigger']);

const ENABLED: Readonly<Record<string, string>> = {
  O: 'enabled',
  A: 'enabled always',
  R: 'enabled for replicas only',
  D: 'disabled',
};

function list(names: readonly string[]): string {
  const more = names.length > SHOWN ? ` and ${names.length - SHOWN} more` : '';
  return `${names.slice(0, SHOWN).join(', ')}${more}`;
}

function cut(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
