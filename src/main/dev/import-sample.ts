import { existsSync } from 'node:fs';
import { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { runImport } from '../import.js';
import type { DevWorld } from './dev-world.js';

export interface SampleImport {
  /** Lines that became events now, and lines that had done so before. */
  readonly imported: number;
  readonly replayed: number;
  readonly refused: number;
}

/** Imports the sample file that the package brings, as `outbox import --mapping cloudtrail` does. */
export async function importSampleEvents(world: DevWorld, signal: AbortSignal): Promise<SampleImport> {
  let printed = '';
  const out = new Writable({
    write(chunk: Buffer, _encoding, done) {
      printed += chunk.toString('utf8');
      done();
    },
  });
  const code = await runImport({
    file: sampleFile(),
    mapping: 'cloudtrail',
    outboxUrl: world.outboxUrl,
    tenant: 'acme',
    json: true,
    isTTY: false,
    out,
    err: process.stderr,
    signal,
  });
  if (code !== 0) throw new Error(`the sample import ended with exit code ${code}`);
  world.roles.hint();
  return JSON.parse(printed) as SampleImport;
}

/** From dist/ in a checkout and in an installed package alike. */
function sampleFile(): string {
  for (const up of ['../../../../', '../../../']) {
    const file = fileURLToPath(new URL(`${up}examples/sample-cloudtrail.ndjson`, import.meta.url));
    if (existsSync(file)) return file;
  }
  throw new Error('the package is incomplete: examples/sample-cloudtrail.ndjson is missing');
}
