import type { ReactNode } from 'react';
import { Link } from 'wouter';
import classes from './data-table.module.css';

export interface Column<Row> {
  readonly label: string;
  readonly cell: (row: Row) => ReactNode;
  /** To the right, in figures of one width. */
  readonly numeric?: boolean;
  /** Its label is for screen readers: what it holds says what it is. */
  readonly unseen?: boolean;
}

export interface DataTableProps<Row> {
  /** What the table is of, for screen readers. */
  readonly caption: string;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly idOf: (row: Row) => string;
  /** Instead of a table without rows. */
  readonly empty: string;
  /** What is in the list no more, and stays where it stood. */
  readonly gone?: ReadonlySet<string>;
}

/**
 * What these elements are anyway, written down: on a narrow page they are laid out as blocks, which makes some browsers forget
 * that they are a table.
 */
const IS = {
  table: { role: 'table' },
  group: { role: 'rowgroup' },
  row: { role: 'row' },
  head: { role: 'columnheader' },
  cell: { role: 'cell' },
} as const;

/** A table; on a narrow page a card for each row, with the labels beside the values. */
export function DataTable<Row>({ caption, columns, rows, idOf, empty, gone }: DataTableProps<Row>) {
  if (rows.length === 0) return <p className="dim">{empty}</p>;
  return (
    <table className={classes.table} {...IS.table}>
      <caption className="unseen">{caption}</caption>
      <thead {...IS.group}>
        <tr {...IS.row}>
          {columns.map(({ label, numeric, unseen }) => (
            <th key={label} scope="col" className={numeric ? classes.numeric : undefined} {...IS.head}>
              <span className={unseen ? 'unseen' : undefined}>{label}</span>
            </th>
          ))}
        </tr>
      </thead>
      <tbody {...IS.group}>
        {rows.map((row) => (
          <tr key={idOf(row)} className={gone?.has(idOf(row)) ? classes.gone : undefined} {...IS.row}>
            {columns.map(({ label, cell, numeric, unseen }) => (
              <td
                key={label}
                className={numeric ? classes.numeric : undefined}
                data-label={unseen ? undefined : label}
                {...IS.cell}
              >
                <div className={classes.value}>{cell(row)}</div>
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** The link of a row, one for each: the keys j and k go from one to the next. */
export function RowLink({ to, children }: { readonly to: string; readonly children: ReactNode }) {
  return (
    <Link href={to} data-row="">
      {children}
    </Link>
  );
}
