import type { RecordView } from '../../contract/audit-records-api.js';

/** What a view shows of a record. Its event is others' text: every field is looked at before it is used. */

type Stored = Exclude<RecordView, { erased: true }>;

export interface RecordChange {
  readonly field: string;
  /** JSON text; null: absent. */
  readonly old: string | null;
  readonly new: string | null;
  readonly redacted: boolean;
}

/** What an erasure left is told apart by its type. */
export function isErased(record: RecordView): record is Extract<RecordView, { erased: true }> {
  return 'erased' in record;
}

/** A text of the event; null where there is none of that name. */
export function textOf(record: Stored, name: string): string | null {
  const value = record.event[name];
  return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : null;
}

/** Type and id, and the name where there is one. */
export function actorOf(record: Stored): string | null {
  return isObject(record.event.actor) ? nameOf(record.event.actor) : null;
}

export function targetsOf(record: Stored): readonly string[] {
  const { targets } = record.event;
  return Array.isArray(targets) ? targets.filter(isObject).map(nameOf) : [];
}

/** Old and new of each field that changed. */
export function changesOf(record: Stored): readonly RecordChange[] {
  const { changes } = record.event;
  if (!Array.isArray(changes)) return [];
  return changes.filter(isObject).map((change) => ({
    field: typeof change.field === 'string' ? change.field : '',
    old: sideOf(change, 'old'),
    new: sideOf(change, 'new'),
    redacted: change.redacted === true,
  }));
}

/** Fields with a place of their own in the view; the rest is shown as JSON. */
export const SHOWN_FIELDS: readonly string[] = [
  'action',
  'actionVersion',
  'category',
  'operation',
  'outcome',
  'outcomeReason',
  'severity',
  'occurredAt',
  'source',
  'eventId',
  'changes',
];

/** The rest of the event: by `Object.entries`, so that no name of theirs does anything. */
export function restOf(record: Stored): readonly (readonly [name: string, value: unknown])[] {
  return Object.entries(record.event).filter(([name]) => !SHOWN_FIELDS.includes(name));
}

function nameOf(of: Readonly<Record<string, unknown>>): string {
  const words = [of.type, of.id].filter((part) => typeof part === 'string');
  return typeof of.name === 'string' ? `${words.join(' ')} (${of.name})` : words.join(' ');
}

function sideOf(change: Readonly<Record<string, unknown>>, side: 'old' | 'new'): string | null {
  return Object.hasOwn(change, side) ? JSON.stringify(change[side], null, 2) : null;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
