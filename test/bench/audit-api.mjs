// The destination that all contenders share: the built `outbox api` as a process of its own on a fresh audit database.
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { createApiKey } from '../../dist/src/application/audit/create-api-key.js';
import { freePort } from '../../dist/src/infrastructure/embedded/free-port.js';
import { createAuditApiKeys } from '../../dist/src/infrastructure/prisma/audit-api-keys.js';
import { createPool } from '../../dist/src/infrastructure/prisma/pg-pool.js';
import { askNode, OUTBOX_CLI, startNode } from './node-process.mjs';

const COUNT_POSTS = fileURLToPath(new URL('count-posts.mjs', import.meta.url));

/**
 * @typedef {object} AuditApi
 * @property {string} baseUrl without a path
 * @property {string} apiKey may write for any tenant, without a rate
 * @property {string} databaseUrl
 * @property {number} pid
 * @property {() => Promise<number>} countPosts how many requests with events it has been sent since its start
 * @property {() => Promise<void>} close ends it and drops its database
 */

/**
 * @param {import('./world.mjs').Postgres} postgres
 * @param {Record<string, string>} environment beside its settings
 * @returns {Promise<AuditApi>}
 */
export async function startAuditApi(postgres, environment = {}) {
  const databaseUrl = await postgres.createDatabase(undefined, 'audit');
  const pool = createPool(databaseUrl, { max: 1 });
  const { secret } = await createApiKey({ keys: createAuditApiKeys(pool) })({
    name: 'bench',
    scopes: ['audit:write:any-tenant', 'audit:write'],
  }).finally(() => pool.end());
  const port = await freePort(0);
  const baseUrl = `http://127.0.0.1:${port}`;
  const api = await startNode({
    title: 'outbox api',
    args: ['--import', COUNT_POSTS, OUTBOX_CLI, 'api'],
    ipc: true,
    env: {
      AUDIT_DATABASE_URL: databaseUrl,
      AUDIT_FINGERPRINT_KEYS: `bench:${randomBytes(32).toString('hex')}`,
      AUDIT_RATE_PER_MINUTE: '0',
      OUTBOX_API_PORT: String(port),
      OUTBOX_LOG_LEVEL: 'warn', // says nothing of its start, so it is asked
      ...environment,
    },
    started: async (line) => (line === null && (await fetch(`${baseUrl}/ready`)).ok ? true : undefined),
  });
  return {
    baseUrl,
    apiKey: secret,
    databaseUrl,
    pid: api.pid,
    countPosts: () => askNode(api, 'posts'),
    async close() {
      await api.stop();
      await postgres.drop(databaseUrl);
    },
  };
}
