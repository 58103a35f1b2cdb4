import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
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

/** An event of the sample file, by what the file itself says. */
export interface SampleLine {
  readonly tenant: string;
  readonly source: string;
  readonly sourceEventId: string;
}

/** What the import has to bring into the outbox, read without the code that imports. */
export async function readSampleLines(): Promise<SampleLine[]> {
  const lines = (await readFile(sampleFile(), 'utf8')).split('\n').filter((line) => line.trim() !== '');
  return lines.map((line) => {
    const { eventSource, eventID } = JSON.parse(line) as { eventSource: string; eventID: string };
    return { tenant: TENANT, source: eventSource, sourceEventId: eventID };
  });
}

const TENANT = 'acme';

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
    tenant: TENANT,
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
