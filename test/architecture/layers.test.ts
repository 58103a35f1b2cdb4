// Real: config/check-layers.ts in a process of its own, as `npm run layers` starts it. The projects it looks at are small
// ones written here: one without a violation, one that breaks every rule once, one without a module.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { layers } from '../../config/layers.js';

const CLEAN: Record<string, string> = {
  'src/domain/delivery/value.ts': 'export const value = 1;',
  'src/domain/audit/leaf.ts': 'export const leaf = 1;',
  'src/monitor/page.ts': "import type { dto } from '../contract/dto.js';\nexport type P = typeof dto;",
  'src/contract/dto.ts': "import { z } from 'zod';\nexport const dto = z.string();",
  'src/application/delivery/use-case.ts': "export { value } from '../../domain/delivery/value.js';",
  'src/application/audit/record.ts': "export { leaf } from '../../domain/audit/leaf.js';",
  'src/infrastructure/prisma/store.ts': "export { value } from '../../domain/delivery/value.js';\nexport * from 'pg';",
  'src/infrastructure/tracing/start.ts': "export const start = 1;\nexport * from '@opentelemetry/core';",
  'src/http/routes.ts': "export { value } from '../application/delivery/use-case.js';\nexport * from 'express';",
  'src/infrastructure/metrics/registry.ts': "export * from 'prom-client';",
  'src/main/run.ts':
    "export { value } from '../http/routes.js';\nimport type { start } from '../infrastructure/tracing/start.js';\nexport const on = (): Promise<{ start: typeof start }> => import('../infrastructure/tracing/start.js');",
  'src/cli/outbox.ts': "export { value } from '../main/run.js';",
  'workflows/contract.ts': "export { value } from '../src/domain/delivery/value.js';",
  'workflows/index.ts': "export { value } from './contract.js';\nexport * from '@temporalio/workflow';",
  'activities/create.ts': "export { value } from '../workflows/contract.js';\nexport * from '@temporalio/activity';",
};

/** Rule to the one file that breaks it. Half of them by `import type`, which must count as much as any import. */
const PLANTED: Record<string, [path: string, text: string]> = {
  'monitor-page-is-outside': ['src/monitor/p21.ts', "export { value } from '../application/delivery/use-case.js';"],
  'monitor-page-takes-types': ['src/monitor/p22.ts', "export { dto } from '../contract/dto.js';"],
  'nothing-imports-the-page': ['src/main/p23.ts', "import type { P } from '../monitor/page.js';\nexport type Q = P;"],
  'domain-is-pure': ['src/domain/delivery/p1.ts', "import type { Hash } from 'node:crypto';\nexport type P = Hash;"],
  'contract-stands-alone': ['src/contract/p2.ts', "export { value } from '../domain/delivery/value.js';"],
  'application-knows-ports-only': [
    'src/application/delivery/p3.ts',
    "import type { Pool } from '../../infrastructure/prisma/store.js';\nexport type P = Pool;",
  ],
  'infrastructure-is-called': ['src/infrastructure/prisma/p4.ts', "export { value } from '../../main/run.js';"],
  'http-calls-use-cases': ['src/http/p5.ts', "export { value } from '../infrastructure/prisma/store.js';"],
  'audit-client-is-outside': [
    'src/audit-client/p20.ts',
    "import type { value } from '../application/delivery/use-case.js';\nexport type P = typeof value;",
  ],
  'activities-call-use-cases': ['activities/p6.ts', "export { value } from '../src/http/routes.js';"],
  'workflows-are-deterministic': ['workflows/p7.ts', "export { leaf } from '../src/domain/audit/leaf.js';"],
  'workflow-code-runs-in-workflows': ['src/main/p8.ts', "export { value } from '../../workflows/index.js';"],
  'delivery-ignores-audit': ['src/application/delivery/p9.ts', "export { leaf } from '../audit/record.js';"],
  'audit-ignores-delivery': [
    'src/application/audit/p10.ts',
    "import type { value } from '../delivery/use-case.js';\nexport type P = typeof value;",
  ],
  'redaction-takes-no-side': ['src/application/redaction/p20.ts', "export { leaf } from '../../domain/audit/leaf.js';"],
  'main-is-below-cli-only': ['src/main/p11.ts', "export { value } from '../cli/outbox.js';"],
  'cli-calls-main': ['src/cli/p12.ts', "export { value } from '../application/delivery/use-case.js';"],
  'temporal-in-its-places': [
    'src/application/delivery/p13.ts',
    "import type { Client } from '@temporalio/client';\nexport type P = Client;",
  ],
  'prisma-in-its-place': [
    'src/main/p14.ts',
    "import type { PrismaPg } from '@prisma/adapter-pg';\nexport type P = PrismaPg;",
  ],
  'pg-in-its-places': ['src/main/p15.ts', "import type { Pool } from 'pg';\nexport type P = Pool;"],
  'express-in-its-place': ['src/main/p16.ts', "import type { Express } from 'express';\nexport type P = Express;"],
  'tracing-sdk-in-its-place': [
    'src/main/p24.ts',
    "import type { Sampler } from '@opentelemetry/sdk-trace-base';\nexport type P = Sampler;",
  ],
  'tracing-sdk-on-demand': ['src/main/p25.ts', "export { start } from '../infrastructure/tracing/start.js';"],
  'prom-client-in-its-place': [
    'src/main/p26.ts',
    "import type { Registry } from 'prom-client';\nexport type P = Registry;",
  ],
  'offline-stands-alone': ['src/offline/p20.mts', "export { value } from '../domain/delivery/value.js';"],
  'no-cycles': ['src/main/p17.ts', "export * from './p17.js';"],
  'shipped-code-needs-no-development-package': ['src/main/p18.ts', "export * from 'fast-check';"],
  'every-import-resolves': ['src/main/p19.ts', "export * from './nowhere.js';"],
};

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

function checkLayers(files: Record<string, string>): { code: number | null; output: string } {
  const folder = mkdtempSync(join(tmpdir(), 'layers-'));
  folders.push(folder);
  cpSync('package.json', join(folder, 'package.json'));
  symlinkSync(resolve('node_modules'), join(folder, 'node_modules'));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), `${text}\n`);
  }
  const { status, stdout, stderr } = spawnSync(process.execPath, ['config/check-layers.ts', folder], {
    encoding: 'utf8',
  });
  return { code: status, output: stdout + stderr };
}

describe('the import rules', () => {
  let broken: { code: number | null; output: string };
  beforeAll(() => {
    broken = checkLayers({ ...CLEAN, ...Object.fromEntries(Object.values(PLANTED)) });
  });

  it('pass a project that keeps them', () => {
    expect(checkLayers(CLEAN)).toEqual({ code: 0, output: expect.stringContaining(' 0 violations') });
  });

  it('are each broken by one planted file below', () => {
    expect(Object.keys(PLANTED).sort()).toEqual(layers.map(({ name }) => name).sort());
  });

  it.each(Object.keys(PLANTED))('refuse a planted violation of %s', (name) => {
    expect(broken.output).toContain(`${name}: ${PLANTED[name]?.[0]} -> `);
    expect(broken.code).toBe(1);
  });

  it('fail when there is no module to look at', () => {
    expect(checkLayers({})).toEqual({ code: 1, output: expect.stringContaining('No modules or no imports were seen') });
  });
});
