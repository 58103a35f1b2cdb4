import type { RecordView } from '../../../contract/audit-records-api.js';

type Event = Readonly<Record<string, unknown>>;

/** The columns, in an order that only ever grows at its end. What has parts of its own is JSON text in one field. */
const COLUMNS: readonly (readonly [name: string, of: (event: Event) => unknown])[] = [
  ...['eventId', 'source', 'action', 'actionVersion', 'category', 'operation', 'outcome', 'outcomeReason'].map(own),
  ['severity', ({ severity }) => severity ?? 'info'],
  own('occurredAt'),
  ['actorType', ({ actor }) => partOf(actor, 'type')],
  ['actorId', ({ actor }) => partOf(actor, 'id')],
  ['actorName', ({ actor }) => partOf(actor, 'name')],
  own('targets'),
  ['ip', ({ context }) => partOf(context, 'ip')],
  ['userAgent', ({ context }) => partOf(context, 'userAgent')],
  ['requestId', ({ context }) => partOf(context, 'requestId')],
  ['correlationId', ({ context }) => partOf(context, 'correlationId')],
  ...['changes', 'metadata', 'data'].map(own),
];

const RECORD_COLUMNS = ['recordId', 'recordedAt', 'tenantId', 'via', 'hash', 'erased'];

/** RFC 4180: commas, every line with the same fields and ended by CRLF, the names first. */
export const CSV_HEADER = `${[...RECORD_COLUMNS, ...COLUMNS.map(([name]) => name)].join(',')}\r\n`;

export function toCsvLine(record: RecordView): string {
  const event = 'erased' in record ? {} : record.event;
  const [tenantId, via, erased] = 'erased' in record ? ['', '', true] : [record.tenantId, record.via, false];
  const fields = [record.recordId, record.recordedAt, tenantId, via, record.hash, erased];
  const rest = 'erased' in record ? COLUMNS.map(() => '') : COLUMNS.map(([, of]) => of(event));
  return `${[...fields, ...rest].map(toField).join(',')}\r\n`;
}

/**
 * Quoted where RFC 4180 asks for it. What a spreadsheet would take for a formula gets an apostrophe in front (OWASP, CSV
 * injection; its full-width forms, too): a stranger wrote it, and a person opens it.
 */
function toField(value: unknown): string {
  const text = typeof value === 'string' ? value : value === undefined || value === null ? '' : JSON.stringify(value);
  const inert = typeof value === 'string' && /^[=+\-@\t\r\n＝＋－＠]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(inert) ? `"${inert.replaceAll('"', '""')}"` : inert;
}

function own(name: string): readonly [string, (event: Event) => unknown] {
  return [name, (event) => event[name]];
}

function partOf(whole: unknown, name: string): unknown {
  return typeof whole === 'object' && whole !== null ? (whole as Record<string, unknown>)[name] : undefined;
}
