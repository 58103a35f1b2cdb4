import type { Writable } from 'node:stream';
import type { DevWorld } from './dev-world.js';

/** What a person needs next: where to look and what to try. */
export function sayWhereToLook(world: DevWorld, out: Writable): void {
  const { roles, temporal, apiKey, dataDir, settings } = world;
  const api = `http://127.0.0.1:${roles.apiPort}`;
  const lines = [
    '',
    `Temporal Web UI   ${temporal.uiUrl === null ? `(of the server at ${temporal.address})` : `${temporal.uiUrl}/namespaces/default/workflows`}`,
    `Audit log API     ${api}/integration/v1/audit/logs`,
    `API key           ${apiKey}`,
    `Deployment        ${settings.deployment}`,
    `Outbox database   psql ${world.outboxUrl}`,
    `Data and log      ${dataDir} (outbox.log)`,
    '',
    'Try a record of your own (KEY is the key above):',
    `  curl -i -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' ${api}/integration/v1/audit/logs \\`,
    `    -d '{"specVersion":"1.0","eventId":"hello-${Date.now()}","source":"/curl","action":"demo.greeting.sent","actionVersion":1,` +
      `"category":"other","operation":"execute","outcome":"success","occurredAt":"${new Date().toISOString()}",` +
      `"actor":{"type":"user","id":"me"},"targets":[]}'`,
    '',
    world.samples
      ? 'Sample traffic runs, about two events a second. Ctrl-C stops everything in order.'
      : 'Ctrl-C stops everything in order.',
    '',
  ];
  out.write(lines.join('\n'));
}
