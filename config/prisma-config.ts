import { fileURLToPath } from 'node:url';
import { defineConfig } from 'prisma/config';

// Where a command needs no database (generate, validate) the URL is never used.
const NO_DATABASE = 'postgresql://localhost:5432/unset';

/** Prisma's configuration for one of our two schemas; `databaseUrl` is the URL that the product itself uses. */
export function prismaConfig(target: 'outbox' | 'audit', databaseUrl: string | undefined) {
  // The engine that `prisma` would download is on the registry as WebAssembly; a native one named by the caller wins.
  process.env.PRISMA_SCHEMA_ENGINE_BINARY ??= fileURLToPath(new URL('prisma-schema-engine.ts', import.meta.url));
  process.env.PRISMA_HIDE_UPDATE_MESSAGE ??= '1';
  const url = new URL(databaseUrl ?? NO_DATABASE);
  url.searchParams.set('schema', target);
  return defineConfig({
    schema: fileURLToPath(new URL(`../prisma/${target}/schema.prisma`, import.meta.url)),
    migrations: { path: fileURLToPath(new URL(`../prisma/${target}/migrations`, import.meta.url)) },
    datasource: { url: url.href },
  });
}
