import { rm } from 'node:fs/promises';

export default async function globalTeardown() {
  const servers = globalThis.__outboxTestServers;
  globalThis.__outboxTestServers = undefined;
  await servers?.temporal?.stop();
  for (const postgres of servers?.postgres ?? []) await postgres.stop();
  if (servers !== undefined) await rm(servers.folder, { recursive: true, force: true });
}
