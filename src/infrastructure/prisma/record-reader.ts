import type { Look, Looked, RecordFilter, RecordReader, StoredRecord } from '../../application/audit/reading/ports.js';
import type { RecordVia } from '../../domain/audit/audit-record.js';
import { isRecordId, LAST_MS, placeBefore, timeOfPlace } from '../../domain/audit/record-id.js';
import { runAuditStatement } from './audit-store.js';
import type { PgPool } from './pg-pool.js';
import {
  lookValues,
  type Pick,
  type PickedRow,
  pickStatement,
  READ,
  type Span,
  type Walk,
  type WalkedRow,
  walkStatement,
} from './record-statements.js';

const TIMEOUT_MS = 10_000;
/** What a walk looks at before an index is asked for what is rare. */
const WALK_FIRST = 1_000;
/** Of one span: so many are quickly read and sorted. */
const MOST_PICKED = 5_000;
const MOST_PICKED_TEXTS = 1_000;
const HOUR_MS = 3_600_000;
const FIRST_SPAN_MS = 31 * 24 * HOUR_MS;
/** The spans of one turn: they grow fourfold, so that a few reach back over all of time. */
const MOST_SPANS = 12;

/** The records in PostgreSQL, over the pool given. */
export function createRecordReader(pool: PgPool): RecordReader {
  // Which index is the right one, and which months are looked into, the values say.
  const run = async <Row extends object>(statement: { name: string; text: string }, values: readonly unknown[]) =>
    runAuditStatement<Row>(pool, { ...statement, values, replan: true, timeoutMs: TIMEOUT_MS });

  async function walk({ filter, order, records, take }: Look, span: Span): Promise<Looked> {
    const values = lookValues(filter, span, records, take);
    const [row] = await run<WalkedRow>(walkStatement(walkOf(filter), order), values);
    const { records: looked, found, place } = row as WalkedRow;
    return { found, records: looked, place: found.length === take ? (found.at(-1) ?? place) : place };
  }

  /** Goes on behind a walk, span by span, each as wide as an index can answer; null at the end is the end of the filter's time. */
  async function pick(look: Look, by: Pick, whole: Span, walked: Looked): Promise<Looked> {
    const most = look.filter.text === null ? MOST_PICKED : MOST_PICKED_TEXTS;
    let { records, place } = walked;
    const found = [...walked.found];
    let widthMs = FIRST_SPAN_MS;
    for (let n = 0; n < MOST_SPANS && place !== null && found.length < look.take && widthMs >= HOUR_MS; n++) {
      const span = spanFrom(place, widthMs, look.order, whole);
      const take = look.take - found.length;
      const [row] = await run<PickedRow>(pickStatement(by, look.order), lookValues(look.filter, span, most, take));
      const picked = row as PickedRow;
      records += picked.records;
      if (picked.records > most) {
        widthMs /= 8;
        continue;
      }
      found.push(...picked.found);
      place = picked.found.length === take ? (found.at(-1) ?? null) : endOf(span, look.order, whole);
      widthMs *= 4;
    }
    return { found, records, place };
  }

  return {
    async look(look) {
      const whole = wholeSpan(look);
      const by = pickOf(look.filter);
      if (by === null) return walk(look, whole);
      // What is not rare is found here, and what is rare costs little more for it.
      const walked = await walk({ ...look, records: Math.min(look.records, WALK_FIRST) }, whole);
      return pick(look, by, whole, walked);
    },

    async read(ids, tenantId) {
      const known = ids.filter(isRecordId);
      if (known.length === 0) return [];
      const times = known.map((id) => new Date(timeOfPlace(id)).toISOString());
      const rows = await runAuditStatement<RecordRow>(pool, {
        name: 'audit_read_records',
        text: READ,
        values: [known, times, tenantId],
        timeoutMs: TIMEOUT_MS,
      });
      return rows.map(toStoredRecord);
    },
  };
}

function walkOf({ tenantId, actorId }: RecordFilter): Walk {
  if (tenantId === null) return 'all';
  return actorId === null ? 'tenant' : 'actor';
}

/** Which index knows what is rare. One actor's records have an order of their own. */
function pickOf({ tenantId, actorId, targetId, action }: RecordFilter): Pick | null {
  if (tenantId === null) return null;
  if (targetId !== null) return 'target';
  return action !== null && actorId === null ? 'action' : null;
}

/** What is left of the filter's time: a place from outside of it must not lead the look out of it. */
function wholeSpan({ filter, order, after }: Look): Span {
  const span = { after: placeBefore(filter.recordedFrom ?? 0), before: placeBefore(filter.recordedTo ?? LAST_MS + 1) };
  if (after === null) return span;
  return order === 'newest'
    ? { ...span, before: earlier(after, span.before) }
    : { ...span, after: later(after, span.after) };
}

function spanFrom(place: string, widthMs: number, order: Look['order'], whole: Span): Span {
  if (order === 'newest') {
    return { after: later(placeBefore(timeOfPlace(place) - Math.ceil(widthMs)), whole.after), before: place };
  }
  return { after: place, before: earlier(placeBefore(timeOfPlace(place) + Math.ceil(widthMs)), whole.before) };
}

const earlier = (...places: [string, string]) => places.sort()[0] as string;
const later = (...places: [string, string]) => places.sort()[1] as string;

function endOf(span: Span, order: Look['order'], whole: Span): string | null {
  if (order === 'newest') return span.after === whole.after ? null : span.after;
  return span.before === whole.before ? null : span.before;
}

interface RecordRow {
  readonly record_id: string;
  readonly recorded_at: Date;
  readonly tenant_id: string;
  readonly via: RecordVia;
  readonly body: Record<string, unknown>;
  readonly leaf_hash: Buffer | null;
}

/** An erased record is one whose body is empty: no event is. */
function toStoredRecord(row: RecordRow): StoredRecord {
  return {
    recordId: row.record_id,
    recordedAt: row.recorded_at.toISOString(),
    tenantId: row.tenant_id,
    via: row.via,
    leafHash: row.leaf_hash,
    event: Object.keys(row.body).length === 0 ? null : row.body,
  };
}
