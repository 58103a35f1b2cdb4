/**
 * Open rows are of four kinds, each with a partial index of its own. A condition on the status alone is served by none of
 * the four, and the server walks the whole table for it: a statement that is about open rows asks for each kind by itself.
 */
export interface OpenKind {
  /** Of a row d. */
  readonly rows: string;
  /** What its index goes by, with the type of each column. */
  readonly key: Readonly<Record<string, 'text' | 'timestamptz' | 'bigint'>>;
}

const LANE = { destination: 'text', event_type: 'text', tenant: 'text' } as const;

export const WAITING: OpenKind = {
  rows: "d.status = 'PENDING' AND d.order_key IS NULL",
  key: { ...LANE, due_at: 'timestamptz' },
};
export const WAITING_ORDERED: OpenKind = {
  rows: "d.status = 'PENDING' AND d.order_key IS NOT NULL",
  key: { ...LANE, order_key: 'text', order_no: 'bigint' },
};
/** Runs of one event. */
export const RUNNING: OpenKind = {
  rows: "d.status = 'STARTED' AND d.carrier IS NULL",
  key: { destination: 'text', due_at: 'timestamptz' },
};
/** Events that batches carry. */
export const CARRIED: OpenKind = {
  rows: "d.status = 'STARTED' AND d.carrier IS NOT NULL",
  key: { destination: 'text', carrier: 'text', due_at: 'timestamptz' },
};

/**
 * A part of WITH RECURSIVE: the destinations of one kind of rows, by one index probe for each, whatever their backlog; the
 * first `most` of them.
 */
export function destinationsOf(name: string, { rows }: OpenKind, most: number | null = null): string {
  const next = (after: string) =>
    `(SELECT d.destination FROM outbox.delivery d WHERE ${rows} ${after} ORDER BY d.destination LIMIT 1)`;
  return `${name} AS (
    SELECT f.destination, 1 AS n FROM ${next('')} f
    UNION ALL
    SELECT n.destination, w.n + 1 FROM ${name} w CROSS JOIN LATERAL ${next('AND d.destination > w.destination')} n
    ${most === null ? '' : `WHERE w.n < ${most}`}
  )`;
}

/** How many rows of these kinds there are, all destinations together; counted up to `most`. */
export function countOpen(kinds: readonly OpenKind[], most: number): string {
  return `(
    WITH RECURSIVE ${kinds.map((kind, i) => destinationsOf(`kind_${i}`, kind)).join(', ')}
    SELECT count(*)::integer FROM (
      ${kinds
        .map(
          ({ rows, key }, i) => `SELECT FROM kind_${i} k CROSS JOIN LATERAL (
        SELECT FROM outbox.delivery d WHERE ${rows} AND d.destination = k.destination
        ORDER BY ${Object.keys(key)
          .map((column) => `d.${column}`)
          .join(', ')} LIMIT ${most}) r`,
        )
        .join(' UNION ALL ')}
      LIMIT ${most}) counted
  )`;
}

/** Where a walk begins: before every row. */
export function firstKey({ key }: OpenKind): string[] {
  const before = { text: '', timestamptz: '-infinity', bigint: '-9223372036854775808' } as const;
  return [...Object.values(key).map((type) => before[type]), '00000000-0000-0000-0000-000000000000'];
}

/** A page of one kind's rows in the order of its index, after the key `$1` (text[]), `$2` rows; and the key of its last row. */
export function openPage({ rows, key }: OpenKind): { readonly page: string; readonly last: string } {
  const columns = [...Object.keys(key), 'event_id'];
  const types = [...Object.values(key), 'uuid'];
  const all = columns.map((column) => `d.${column}`).join(', ');
  const after = types.map((type, i) => `($1::text[])[${i + 1}]::${type}`).join(', ');
  const wanted = [...new Set([...columns, 'event_type', 'policy_hash'])].map((column) => `d.${column}`).join(', ');
  return {
    page: `SELECT ${wanted} FROM outbox.delivery d
  WHERE ${rows} AND (${all}) > (${after})
  ORDER BY ${all} LIMIT $2::integer`,
    last: `(SELECT ARRAY[${columns.map((column) => `${column}::text`).join(', ')}] FROM page
  ORDER BY ${columns.map((column) => `${column} DESC`).join(', ')} LIMIT 1)`,
  };
}
