import { Buffer } from 'node:buffer';
import { createRequire } from 'node:module';
import { PrismaPg } from 'prisma-adapter-pg-6';
import type * as runtime from 'prisma-client-6/runtime/client';

const require = createRequire(import.meta.url);

/** As the generated client declares it, for the part that a transaction keeps. */
interface Prisma6Client {
  $connect(): runtime.Types.Utils.JsPromise<void>;
  $disconnect(): runtime.Types.Utils.JsPromise<void>;
  $executeRaw<T = unknown>(sql: TemplateStringsArray | runtime.Sql, ...values: T[]): PrismaPromise<number>;
  $queryRaw<T = unknown>(sql: TemplateStringsArray | runtime.Sql, ...values: unknown[]): PrismaPromise<T>;
  $transaction<R>(
    work: (tx: Omit<Prisma6Client, runtime.ITXClientDenyList>) => runtime.Types.Utils.JsPromise<R>,
  ): runtime.Types.Utils.JsPromise<R>;
}
type PrismaPromise<T> = runtime.Types.Public.PrismaPromise<T>;

/**
 * A Prisma 6 client: its own runtime, query compiler and driver adapter, set up with what `prisma generate` 6.19 writes
 * for `engineType = "client"` and an empty model. Written out here because generating it takes Prisma 6's whole command
 * line as one more development dependency, for these few lines.
 */
export function createPrisma6(url: string): Prisma6Client {
  const { getPrismaClient } = require('prisma-client-6/runtime/client') as typeof runtime;
  const config = {
    clientVersion: '6.19.0',
    engineVersion: '2ba551f319ab1df4bc874a89965d8b3641056773',
    activeProvider: 'postgresql',
    generator: {
      name: 'client',
      provider: { fromEnvVar: null, value: 'prisma-client' },
      output: null,
      config: { engineType: 'client' },
      binaryTargets: [],
      previewFeatures: [],
      sourceFilePath: 'schema.prisma',
    },
    datasourceNames: ['db'],
    inlineDatasources: { db: { url: { fromEnvVar: null, value: url } } },
    inlineSchema: `datasource db {\n  provider = "postgresql"\n  url = ${JSON.stringify(url)}\n}\nmodel Order {\n  id String @id\n}\n`,
    inlineSchemaHash: '',
    runtimeDataModel: {
      models: { Order: { dbName: null, fields: [{ name: 'id', kind: 'scalar', type: 'String' }] } },
      enums: {},
      types: {},
    },
    relativePath: '.',
    dirname: '.',
    compilerWasm: {
      getRuntime: async () => require('prisma-client-6/runtime/query_compiler_bg.postgresql.js'),
      getQueryCompilerWasmModule: async () => {
        const { wasm } = require('prisma-client-6/runtime/query_compiler_bg.postgresql.wasm-base64.js');
        return new WebAssembly.Module(Buffer.from(wasm, 'base64'));
      },
    },
  } as unknown as runtime.GetPrismaClientConfig;
  const Client = getPrismaClient(config);
  return new Client({ adapter: new PrismaPg({ connectionString: url }) }) as unknown as Prisma6Client;
}

/** Node's own; @types/node leaves it to the DOM's types, which a server does not have. */
declare const WebAssembly: { readonly Module: new (bytes: Uint8Array) => object };
