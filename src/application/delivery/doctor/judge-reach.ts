import { away, type Finding, ok, wrong } from './findings.js';

/** What the audit API answered: to `/ready`, and to a lookup with the worker's key. */
export interface AuditApiFacts {
  readonly url: string;
  /** null: it did not answer. */
  readonly ready: { readonly status: number; readonly waitingFor: readonly string[] } | null;
  /** Why not, in a word (the code of docs/errors.md). */
  readonly readyFailed: string | null;
  /** null: it was answered. */
  readonly lookupFailed: { readonly code: string; readonly status: number | null } | null;
}

export function judgeAuditApi({ url, ready, readyFailed, lookupFailed }: AuditApiFacts): readonly Finding[] {
  const id = 'reach.audit-api';
  if (ready === null) {
    const detail = `the audit API at ${url} does not answer${readyFailed === null ? '' : ` (${readyFailed})`}`;
    return [away(id, detail, 'start an api, or mend OUTBOX_AUDIT_URL')];
  }
  if (ready.status === 503) {
    const why = ready.waitingFor.length === 0 ? 'it does not say why' : ready.waitingFor.join('; ');
    return [away(id, `the audit API at ${url} is not ready: ${why}`, 'mend what it waits for')];
  }
  if (ready.status !== 200) {
    const detail = `${url} answers ${ready.status} to /ready, as no api of ours does`;
    return [wrong(id, detail, 'mend OUTBOX_AUDIT_URL')];
  }
  if (lookupFailed === null) return [ok(id, `the audit API at ${url} is ready and takes the key`)];
  const { code, status } = lookupFailed;
  if (status === 401) {
    return [
      wrong(
        id,
        `the audit API at ${url} does not know the key (401)`,
        'mend OUTBOX_AUDIT_API_KEY: it was revoked, has expired, or is of another audit log; `outbox keys list`',
      ),
    ];
  }
  if (status === 403) {
    return [
      wrong(
        id,
        `the audit API at ${url} knows the key, which may not do this (403)`,
        'make one with `outbox keys create --scope audit:write:any-tenant` for OUTBOX_AUDIT_API_KEY',
      ),
    ];
  }
  const answered = `the audit API at ${url} did not answer a lookup (${code}${status === null ? '' : ` ${status}`})`;
  return [away(id, answered, 'look at the log of the api')];
}
