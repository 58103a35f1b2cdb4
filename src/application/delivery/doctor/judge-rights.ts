import { type Finding, orOk, unknown, wrong } from './findings.js';
import type { Database } from './judge-schema.js';

/** A role that processes of ours are connected as, and what it may not do although its part needs it. */
export interface RoleFacts {
  readonly role: string;
  /** Which part: `relay`, `worker`, `api`. */
  readonly holder: string;
  /** `SELECT on figure`, …; empty: nothing. */
  readonly missing: readonly string[];
}

const SHOWN = 6;

/** `roles` empty: no process of ours is connected at the moment. */
export function judgeRights(database: Database, roles: readonly RoleFacts[]): readonly Finding[] {
  const id = 'rights';
  if (roles.length === 0) {
    const detail = `${database}: nobody of ours is connected, so whose rights to look at is not known`;
    return [unknown(id, detail, 'look again while relay, worker and api run')];
  }
  const found = roles
    .filter(({ missing }) => missing.length > 0)
    .map(({ role, holder, missing }) => {
      const more = missing.length > SHOWN ? ` and ${missing.length - SHOWN} more` : '';
      const detail = `${database}: the role ${role} of the ${holder} may not ${missing.slice(0, SHOWN).join(', ')}${more}`;
      return wrong(
        id,
        detail,
        `outbox grants --apply --database ${database} --${holder} ${shellQuoted(role)}, as the owner`,
      );
    });
  return orOk(found, id, `${database}: ${roles.map(({ role }) => role).join(', ')} may do what their parts need`);
}

function shellQuoted(text: string): string {
  return /^[\w.-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
