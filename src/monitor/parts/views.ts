import type { Session } from '../../contract/monitor-api.js';

/** The views that the navigation leads to. */
export interface ViewEntry {
  readonly path: string;
  readonly label: string;
  /** Behind g. */
  readonly key: string;
  /** Why this person cannot see it; null: they can. */
  readonly why: (session: Session) => string | null;
}

const delivery = ({ may }: Session) => (may.readDelivery ? null : 'Your key may not read the delivery (dlq:read)');
const everybodys = (session: Session) =>
  session.tenantId === null ? delivery(session) : 'It is of all tenants, and your key is bound to one';
const records = ({ may }: Session) =>
  may.readRecords ? null : 'You may not read records: that takes the scope audit:read, or the role viewer';

export const VIEWS: readonly ViewEntry[] = [
  { path: '/', label: 'Overview', key: 'o', why: everybodys },
  { path: '/events', label: 'Events', key: 'e', why: delivery },
  { path: '/dead-letters', label: 'Dead letters', key: 'd', why: delivery },
  { path: '/audit', label: 'Audit log', key: 'a', why: records },
  { path: '/policies', label: 'Policies', key: 'p', why: everybodys },
];

/** What the audit log could not store is of the delivery, too: whoever reads no records sees that there is something. */
export const NOT_STORED = '/audit/not-stored';

/** Why this person cannot see what is at an address; null: they can, or nothing is there. */
export function whyNotAt(path: string, session: Session): string | null {
  if (path === NOT_STORED || path.startsWith(`${NOT_STORED}/`)) return delivery(session);
  return viewOf(path)?.why(session) ?? null;
}

/** The entry that an address belongs to. */
export function viewOf(path: string): ViewEntry | null {
  return VIEWS.find((view) => path === view.path || (view.path !== '/' && path.startsWith(`${view.path}/`))) ?? null;
}
