import { readFile } from 'node:fs/promises';
import { Writable } from 'node:stream';
import { runImport } from '../import.js';
import type { DevWorld } from './dev-world.js';
import { packageFile } from './package-file.js';

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

function sampleFile(): string {
  return packageFile('examples/sample-cloudtrail.ndjson');
}
