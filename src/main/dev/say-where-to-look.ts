import type { Writable } from 'node:stream';
import type { DevWorld } from './dev-world.js';
import { outboxFunction } from './shell-command.js';

/** What a person needs next: where to look and what to try. */
export function sayWhereToLook(world: DevWorld, seed: number, out: Writable): void {
  const { roles, temporal, apiKey, signInLink, dataDir, settings, envFile } = world;
  const api = `http://127.0.0.1:${roles.apiPort}`;
  const lines = [
    '',
    ...(settings.ops === 'on' && settings.monitor === 'on'
      ? [`Monitor           ${signInLink ?? `${api}/monitor`}${signInLink === null ? '' : ' (signs you in, once)'}`]
      : []),
    `Temporal Web UI   ${temporal.uiUrl === null ? `(of the server at ${temporal.target.address})` : `${temporal.uiUrl}/namespaces/default/workflows`}`,
    `Temporal          ${temporal.target.address}, namespace ${temporal.target.namespace} (TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE)`,
    `Audit log API     ${api}/integration/v1/audit/logs`,
    ...(settings.ops === 'on' ? [`Operations API    ${api}/ops/v1/dead-letters (the same key)`] : []),
    `API key           ${apiKey ?? '(one of yours for this audit log: outbox keys create)'}`,
    `Deployment        ${settings.deployment}`,
    // Whoever named an outside one knows its password; a terminal's history need not.
    `Outbox database   ${world.outside ? '(the one in OUTBOX_DATABASE_URL)' : `psql ${world.outboxUrl}`}`,
    `Data and log      ${dataDir} (outbox.log)`,
    '',
    `Try a record of your own (KEY is ${apiKey === null ? 'one of yours' : 'the key above'}):`,
    `  curl -i -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' ${api}/integration/v1/audit/logs \\`,
    `    -d '{"specVersion":"1.0","eventId":"hello-${Date.now()}","source":"/curl","action":"demo.greeting.sent","actionVersion":1,` +
      `"category":"other","operation":"execute","outcome":"success","occurredAt":"${new Date().toISOString()}",` +
      `"actor":{"type":"user","id":"me"},"targets":[]}'`,
    '',
    ...(envFile === null
      ? []
      : [
          'For commands in another terminal, paste this there once, in this folder (keys stand in the file it names):',
          `  ${outboxFunction(envFile)}`,
          '  outbox dlq list',
          '',
        ]),
    world.partner !== null
      ? `Sample traffic runs (seed ${seed}), about two events a second, and some fail on purpose. Ctrl-C stops everything in order.`
      : 'Ctrl-C stops everything in order.',
    '',
  ];
  out.write(lines.join('\n'));
}
