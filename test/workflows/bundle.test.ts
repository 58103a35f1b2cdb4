/** What goes into the workflow bundle. The bundle is real; nothing runs. */
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';

let code: string;
beforeAll(async () => {
  const workflowsPath = fileURLToPath(new URL('../../workflows/index.ts', import.meta.url));
  ({ code } = await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('WARN') }));
});

function bundledSources(): string[] {
  const map = /sourceMappingURL=data:application\/json;(?:charset=utf-8;)?base64,([A-Za-z0-9+/=]+)/.exec(code);
  if (map?.[1] === undefined) throw new Error('expected an inline source map');
  const { sources } = JSON.parse(Buffer.from(map[1], 'base64').toString()) as { sources: string[] };
  return sources.map((source) => source.replace(/^webpack:\/\/[^/]*\//, ''));
}

it('holds no module of ours but workflows and src/domain/delivery', () => {
  const ours = bundledSources().filter((source) => /\.ts$/.test(source) && !source.includes('node_modules'));
  expect(ours.some((source) => source.includes('workflows/deliver-event.ts'))).toBe(true);
  const foreign = ours.filter((source) => !/(^|\/)(workflows|src\/domain\/delivery)\/[a-z-]+\.ts$/.test(source));
  expect(foreign).toEqual([]);
});

it('has no direct dependency but @temporalio: nothing of node_modules that those do not bring', () => {
  const sources = bundledSources();
  const packages = new Set(sources.flatMap((source) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(source)?.[1] ?? []));
  // What @temporalio/common and workflow themselves depend on; the import rules hold our own files to @temporalio.
  const brought = new Set(['long', 'ms', 'protobufjs', '@protobufjs/inquire', 'proto3-json-serializer', 'nexus-rpc']);
  const unexpected = [...packages].filter(
    (name) => !name.startsWith('@temporalio/') && !name.startsWith('@protobufjs/') && !brought.has(name),
  );
  expect(packages.has('@temporalio/workflow')).toBe(true);
  expect(unexpected).toEqual([]);
});
