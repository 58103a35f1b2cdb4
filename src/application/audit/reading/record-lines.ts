import type { RecordView } from '../../../contract/audit-records-api.js';
import { toOcsf } from '../ocsf/to-ocsf.js';
import { CSV_HEADER, toCsvLine } from './to-csv-line.js';

export const EXPORT_FORMATS = ['ndjson', 'ocsf', 'csv'] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

/** How an export is written down: what comes first, a line for each record, and what says that it is whole. */
export interface RecordLines {
  readonly first: string;
  line(record: RecordView): string;
  last(records: number): string;
}

const end = (records: number) => `${JSON.stringify({ type: 'end', records })}\n`;

/** CSV has no place for an end: that one was cut off is told by HTTP alone, or by the exit code. */
export const RECORD_LINES = {
  ndjson: {
    first: '',
    line: (record) => `${JSON.stringify({ type: 'erased' in record ? 'erased' : 'record', ...record })}\n`,
    last: end,
  },
  ocsf: { first: '', line: (record) => `${JSON.stringify(toOcsf(record))}\n`, last: end },
  csv: { first: CSV_HEADER, line: toCsvLine, last: () => '' },
} as const satisfies Record<ExportFormat, RecordLines>;
