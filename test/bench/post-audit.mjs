// How contenders without Temporal reach the audit log: the DTO that our handler makes, HTTP with kept connections, an answer
// that is not "stored" is an error.
import { Pool } from 'undici';
import { toAuditEvent } from '../../dist/src/application/delivery/mappers/to-audit-event.js';
import { AUDIT_LOGS_PATH } from '../../dist/src/contract/audit-api.js';
import { createPool } from '../../dist/src/infrastructure/prisma/pg-pool.js';

const NO_MAPPERS = {};

/**
 * @param {import('./audit-api.mjs').AuditApi} audit
 * @param {{ connections: number }} options posts at once; more of them wait for a connection
 */
export function openAuditPosts(audit, { connections }) {
  const http = new Pool(audit.baseUrl, { connections, pipelining: 1 });
  const headers = { authorization: `Bearer ${audit.apiKey}`, 'content-type': 'application/json' };
  const records = createPool(audit.databaseUrl, { max: 1 });
  const post = async (body, stored) => {
    const options = { method: 'POST', path: AUDIT_LOGS_PATH, headers, body: JSON.stringify(body) };
    const answer = await http.request(options);
    const text = await answer.body.text();
    if (!stored(answer.statusCode, text)) throw new Error(`not stored: ${answer.statusCode} ${text.slice(0, 500)}`);
  };
  return {
    /** One event in one request. */
    one: (event) => post(toAuditEvent(event, NO_MAPPERS), (status) => status === 201),

    /** All of them in one request; each is looked at, since a batch is always answered 207. */
    many: (events) =>
      post(
        events.map((event) => toAuditEvent(event, NO_MAPPERS)),
        (status, text) => status === 207 && JSON.parse(text).results.every((result) => result.status === 201),
      ),

    /** Records that stand, by a look into the audit log's own table. */
    async count() {
      const { rows } = await records.query('SELECT count(*)::integer AS n FROM audit.record');
      return rows[0].n;
    },

    async close() {
      await http.close();
      await records.end();
    },
  };
}
