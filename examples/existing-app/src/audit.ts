/** `node src/audit.ts EVENT-ID…`: asks the audit log whether the events stand. Needs SHOP_AUDIT_KEY (scope audit:read). */
import { createAuditClient } from 'temporal-outbox/client';

const client = createAuditClient({
  baseUrl: process.env.OUTBOX_AUDIT_URL ?? 'http://127.0.0.1:8080',
  apiKey: process.env.SHOP_AUDIT_KEY ?? '',
});
try {
  const identities = process.argv.slice(2).map((eventId) => ({ source: 'outbox:shop', eventId }));
  console.log(JSON.stringify(await client.lookup(identities)));
} finally {
  await client.close();
}
