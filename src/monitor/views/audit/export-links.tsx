import { AUDIT_EXPORT_PATH } from '../../data/paths.js';
import type { RecordFilterName } from '../../logic/record-filter.js';
import { type Params, writeParams } from '../../logic/search-params.js';
import classes from './export-links.module.css';

const FORMATS = [
  { format: 'ndjson', label: 'NDJSON', file: 'audit-records.ndjson' },
  { format: 'csv', label: 'CSV', file: 'audit-records.csv' },
  { format: 'ocsf', label: 'OCSF', file: 'audit-records.ocsf.ndjson' },
] as const;

/** Every record that the filter means, as a file: plain links, so that the browser keeps it and not the page. */
export function ExportLinks({ filter }: { readonly filter: Params<RecordFilterName> }) {
  return (
    <p className={classes.exports}>
      <span className="dim">Export all that fit, the oldest first:</span>
      {FORMATS.map(({ format, label, file }) => (
        <a key={format} href={`${AUDIT_EXPORT_PATH}${writeParams({ ...filter, format })}`} download={file}>
          {label}
        </a>
      ))}
    </p>
  );
}
