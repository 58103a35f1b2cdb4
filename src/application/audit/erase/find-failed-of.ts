import type { EraseStore, Subject, SubjectOfTenant } from './ports.js';

/** A body has up to 256 KiB. */
const BODIES = 100;

/**
 * Open rows of `failed_ingest` that are the subject's, in lists of at most `atMost` ids: by the actor, or a target, of the
 * event that was to be stored, as records are found. Who is named anywhere else is not found. Throws StoreUnavailableError.
 */
export async function* findFailedOf(
  store: Pick<EraseStore, 'findFailed' | 'findFailedWith'>,
  { tenantId, subject }: SubjectOfTenant,
  atMost: number,
): AsyncGenerator<readonly string[]> {
  if (subject.kind === 'record') return; // what is open under its identity is found with the record
  if (subject.kind === 'failed_ingest') {
    const ids = await store.findFailed([subject.id], tenantId);
    if (ids.length > 0) yield ids;
    return;
  }
  let found: string[] = [];
  let after: string | null = null;
  do {
    const rows = await store.findFailedWith(tenantId, textOf(subject), after, BODIES);
    after = rows.length < BODIES ? null : (rows.at(-1)?.id ?? null);
    found.push(...rows.filter(({ body }) => isOf(body, subject)).map(({ id }) => id));
    if (found.length + BODIES <= atMost && after !== null) continue;
    if (found.length > 0) yield found;
    found = [];
  } while (after !== null);
}

/** How a body names the subject, be it as one: every body is made by JSON.stringify. */
export function textOf({ id }: Subject): string {
  return JSON.stringify(id);
}

function isOf(body: string, subject: Subject): boolean {
  let event: unknown;
  try {
    event = JSON.parse(body);
  } catch {
    return false; // no event of ours: it stays for a person, who is told how many name the subject
  }
  const { actor, targets } = Object(event) as { actor?: unknown; targets?: unknown };
  if (subject.kind === 'actor') return Object(actor).id === subject.id;
  if (subject.kind !== 'target' || !Array.isArray(targets)) return false;
  return targets.some((target) => Object(target).type === subject.type && Object(target).id === subject.id);
}
