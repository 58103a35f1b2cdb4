#!/usr/bin/env -S node --disable-warning=ExperimentalWarning
// Prisma's schema engine for machines that cannot download it: the same engine as WebAssembly, behind the command line
// and the JSON-RPC lines that the `prisma` CLI speaks to the native one. The CLI starts it as a process of its own, named
// by PRISMA_SCHEMA_ENGINE_BINARY (config/prisma-config.ts). A development tool: nothing in src/ imports it.
import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { PrismaPg } from '@prisma/adapter-pg';
import {
  bindMigrationAwareSqlAdapterFactory,
  ColumnTypeEnum,
  type ErrorRegistry,
  type SqlDriverAdapter,
  type SqlMigrationAwareDriverAdapterFactory,
} from '@prisma/driver-adapter-utils';
import type { ConstructorOptions, DiffResult } from '@prisma/schema-engine-wasm';
import pg from 'pg';

type Engine = Record<string, (params: unknown) => Promise<unknown>>;
type Request = { id: number; method?: string; params: unknown };

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    datamodels: { type: 'string', multiple: true },
    datasource: { type: 'string' },
    'enabled-preview-features': { type: 'string' },
    'extension-types': { type: 'string' },
  },
});
const url = (JSON.parse(flags.datasource ?? '{}') as { url?: string }).url;

let adapterErrors: ErrorRegistry | undefined;

process.exitCode = positionals[0] === 'cli' ? await runDatabaseCommand(positionals[1]) : await serve();

/** Answers one JSON-RPC request a line, in order, until the CLI closes our standard input. */
async function serve(): Promise<number> {
  let engine: Engine | undefined;
  for await (const line of createInterface({ input: process.stdin })) {
    if (line.trim() === '') continue;
    const { id, method, params } = JSON.parse(line) as Request;
    if (method === undefined) continue; // the CLI's answer to our "print"
    try {
      engine ??= await startEngine();
      const call = engine[method === 'getDatabaseVersion' ? 'version' : method];
      if (typeof call !== 'function') throw new Error(`this engine has no method "${method}"`);
      const result = (await call.call(engine, params)) ?? null;
      if (method === 'diff') print((result as DiffResult).stdout);
      send({ id, result });
    } catch (error) {
      const { message, code, meta } = causeOf(error) as Error & { code?: string; meta?: unknown };
      const data = { is_panic: false, message, meta, error_code: code };
      send({ id, error: { code: 4466, message: 'An error happened. Check the data field for details.', data } });
    }
  }
  return 0;
}

/** What our adapter throws comes back from the engine as a number in `adapterErrors` (driver-adapter-utils 7.10). */
function causeOf(error: unknown): unknown {
  const number = /External error id#(\d+)/.exec(String(error))?.[1];
  return (number !== undefined && adapterErrors?.consumeError(Number(number))?.error) || error;
}

/** The native engine asks the CLI to print a diff; this one only returns it. */
function print(content: string | null): void {
  if (content !== null) send({ id: randomUUID(), method: 'print', params: { content } });
}

function send(body: object): void {
  process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...body })}\n`);
}

async function startEngine(): Promise<Engine> {
  Object.assign(globalThis, {
    PRISMA_WASM_PANIC_REGISTRY: { set_message: (message: string) => console.error(message) },
  });
  const { SchemaEngine } = await import('@prisma/schema-engine-wasm');
  if (url !== undefined) await ensureSchema(url);
  const datamodels = (flags.datamodels ?? []).map((path): [string, string] => [path, readFileSync(path, 'utf8')]);
  const factory: SqlMigrationAwareDriverAdapterFactory = {
    provider: 'postgres',
    adapterName: '@prisma/adapter-pg',
    connect: () => openAdapter(requireUrl()),
    connectToShadowDb: () => openShadowDatabase(requireUrl()),
  };
  // The types ask for datamodels always; the engine takes their absence as "no schema file", as the native one does.
  const options = (datamodels.length > 0 ? { datamodels } : {}) as ConstructorOptions;
  const bound = bindMigrationAwareSqlAdapterFactory(factory);
  adapterErrors = bound.errorRegistry;
  const engine = await SchemaEngine.new(options, () => undefined, bound);
  return engine as unknown as Engine;
}

/**
 * adapter-pg, mended in two places that the engine needs: it refuses the catalogue's internal "char" type (oid 18), and it
 * cuts a script at every semicolon, so also in the middle of a function's body.
 */
async function openAdapter(databaseUrl: string, afterwards = async () => {}): Promise<SqlDriverAdapter> {
  const schema = schemaOf(databaseUrl);
  const pool = new pg.Pool({ connectionString: databaseUrl, options: `-c search_path="${schema}"` });
  const charColumns = new AsyncLocalStorage<Set<number>>();
  const query = pool.query.bind(pool) as (config: unknown) => Promise<pg.QueryArrayResult>;
  Object.assign(pool, {
    query: async (config: unknown) => {
      const result = await query(config);
      result.fields?.forEach((field, column) => {
        if (field.dataTypeID !== pg.types.builtins.CHAR) return;
        field.dataTypeID = pg.types.builtins.TEXT;
        charColumns.getStore()?.add(column);
      });
      return result;
    },
  });
  const adapter = await new PrismaPg(pool, { schema }).connect();
  const queryRaw = adapter.queryRaw.bind(adapter);
  return Object.assign(adapter, {
    queryRaw: async (statement: Parameters<typeof queryRaw>[0]) => {
      const found = new Set<number>();
      const result = await charColumns.run(found, () => queryRaw(statement));
      for (const column of found) result.columnTypes[column] = ColumnTypeEnum.Character;
      return result;
    },
    executeScript: async (script: string) => {
      await query(script);
    },
    dispose: async () => {
      await pool.end();
      await afterwards();
    },
  });
}

/** A throw-away database in which the engine replays the migrations, with our schema made as `outbox migrate` makes it. */
async function openShadowDatabase(databaseUrl: string): Promise<SqlDriverAdapter> {
  const name = `prisma_migrate_shadow_db_${randomUUID()}`;
  await runOnce(databaseUrl, `CREATE DATABASE "${name}"`);
  const shadow = new URL(databaseUrl);
  shadow.pathname = `/${name}`;
  await ensureSchema(shadow.href);
  return openAdapter(shadow.href, () => runOnce(databaseUrl, `DROP DATABASE "${name}"`));
}

/** `cli can-connect-to-database | create-database`: exit code 0, or 1 with the engine's log line for the CLI to read. */
async function runDatabaseCommand(command: string | undefined): Promise<number> {
  const target = new URL(requireUrl());
  const name = decodeURIComponent(target.pathname.slice(1));
  try {
    if (command === 'create-database') {
      target.pathname = '/postgres';
      await runOnce(target.href, `CREATE DATABASE ${pg.escapeIdentifier(name)}`);
    } else await runOnce(target.href, 'SELECT 1');
    return 0;
  } catch (error) {
    const { code, message } = error as Error & { code?: string };
    const error_code = code === '3D000' ? 'P1003' : 'P1001';
    // The CLI skips the first line of standard error and parses every other.
    const line = { level: 'ERROR', target: 'schema_engine::logger', fields: { error_code, message } };
    console.error(`schema engine: ${command}\n${JSON.stringify(line)}`);
    return 1;
  }
}

async function ensureSchema(databaseUrl: string): Promise<void> {
  await runOnce(databaseUrl, `CREATE SCHEMA IF NOT EXISTS ${pg.escapeIdentifier(schemaOf(databaseUrl))}`);
}

async function runOnce(databaseUrl: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

function schemaOf(databaseUrl: string): string {
  return new URL(databaseUrl).searchParams.get('schema') ?? 'public';
}

function requireUrl(): string {
  if (url === undefined)
    throw new Error('this command needs a database: set OUTBOX_DATABASE_URL or AUDIT_DATABASE_URL');
  return url;
}
