import { parseRfc3339 } from '../../../contract/rfc3339.js';
import type { AuditRecord } from '../../../domain/audit/audit-record.js';
import { sameBytes } from '../../../domain/audit/merkle-hash.js';
import { leafHash } from '../leaf-hash.js';
import type { Place, RecordRow } from './ports.js';

/** What is left of a row once it was looked at: no content. */
export interface SeenRow {
  readonly recordId: string;
  readonly place: Place;
  readonly recordedAt: Date;
  /** The hash of the leaf made from the row; of an erased one the hash that stands for it. null: none can be made. */
  readonly hash: Uint8Array | null;
  /** Hashes that row and identity claim; with `hash`, what may tell which leaf it was. */
  readonly claims: readonly Uint8Array[];
  /** Of the identity's row, where there is one. */
  readonly keyRecordId: string | null;
  readonly erased: boolean;
  /** What does not fit within the row and its identity. */
  readonly differences: readonly string[];
}

/** Makes the leaf again from the row alone, and compares everything that stands twice. */
export function readRow(row: RecordRow): SeenRow {
  const claims = [row.leafHash, row.key?.leafHash ?? null].filter((hash) => hash !== null);
  const differences: string[] = [];
  const hash = row.erased ? (claims[0] ?? null) : leafOf(row, differences);
  if (row.erased && (row.body !== '{}' || row.salt !== '' || row.actorId !== null))
    differences.push('body of an erased');
  if (row.leafHash !== null && hash !== null && !sameBytes(row.leafHash, hash)) differences.push('leaf_hash');
  if (!isWholeMilliseconds(row.recordedAtMicros)) differences.push('recorded_at');
  if (row.key === null) differences.push('identity (no row of record_key)');
  else {
    if (row.key.recordId !== row.recordId) differences.push('identity (record_id)');
    if (row.key.recordedAtMicros !== row.recordedAtMicros) differences.push('identity (recorded_at)');
    if (hash !== null && !sameBytes(row.key.leafHash, hash)) differences.push('identity (leaf_hash)');
  }
  const { recordId, place, erased } = row;
  return {
    recordId,
    place,
    recordedAt: recordedAt(row),
    hash,
    claims,
    keyRecordId: row.key?.recordId ?? null,
    erased,
    differences,
  };
}

function leafOf(row: RecordRow, differences: string[]): Uint8Array | null {
  const event = parseBody(row.body, differences);
  if (event === null) return null;
  for (const [column, stored, sent] of columnsOf(row, event)) if (stored !== sent) differences.push(column);
  return leafHash({
    recordId: row.recordId,
    recordedAt: recordedAt(row).toISOString(),
    tenantId: row.tenantId,
    via: row.via as AuditRecord['via'],
    keyId: row.keyId,
    leafVersion: row.leafVersion as AuditRecord['leafVersion'],
    salt: row.salt,
    event,
  });
}

type Columns = (readonly [column: string, stored: unknown, sent: unknown])[];

/** Columns are copies of the body for searching: they must say the same (see the statement that inserts). */
function columnsOf(row: RecordRow, event: Readonly<Record<string, unknown>>): Columns {
  const actor = (event.actor ?? {}) as Record<string, unknown>;
  const occurredAt = typeof event.occurredAt === 'string' ? parseRfc3339(event.occurredAt) : null;
  return [
    ['source', row.source, event.source],
    ['event_id', row.eventId, event.eventId],
    ['tenant_id', row.tenantId, event.tenantId ?? row.tenantId],
    ['action', row.action, event.action],
    ['action_version', row.actionVersion, event.actionVersion],
    ['category', row.category, event.category],
    ['operation', row.operation, event.operation],
    ['outcome', row.outcome, event.outcome],
    ['severity', row.severity, event.severity ?? 'info'],
    ['occurred_at', row.occurredAtMicros, occurredAt === null ? null : `${BigInt(occurredAt) * 1000n}`],
    ['actor_type', row.actorType, actor.type],
    ['actor_id', row.actorId, actor.id ?? null],
  ];
}

/**
 * A number that JavaScript reads as another one would leave the leaf as it was: jsonb holds decimals of any length, and
 * what the ingest wrote is the shortest that reads back. Rare enough to look at only where digits run long.
 */
function parseBody(text: string, differences: string[]): Record<string, unknown> | null {
  const long = /\d[\d.]{15}/.test(text);
  const check = function (this: unknown, _key: string, value: unknown, { source }: { source?: string } = {}) {
    if (typeof value === 'number' && source !== undefined && plain(source) !== plain(String(value))) {
      differences.push('a number of the body');
    }
    return value;
  };
  const parsed: unknown = JSON.parse(text, long ? check : undefined);
  if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed as Record<string, unknown>;
  differences.push('body');
  return null;
}

/** A decimal as sign, digits and power of ten, so that two spellings of one number are the same text. */
function plain(decimal: string): string {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d*)\.?(\d*)(?:[eE]([+-]?\d+))?$/.exec(decimal) ?? [];
  const digits = `${whole}${fraction}`.replace(/^0+/, '');
  const short = digits.replace(/0+$/, '');
  return short === '' ? '0' : `${sign}${short}e${Number(exponent) - fraction.length + digits.length - short.length}`;
}

const recordedAt = ({ recordedAtMicros }: RecordRow): Date => new Date(Number(BigInt(recordedAtMicros) / 1000n));

const isWholeMilliseconds = (micros: string): boolean => micros.endsWith('000') || micros === '0';
