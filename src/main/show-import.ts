import type { Writable } from 'node:stream';
import { Listr, ListrLogger, ProcessOutput } from 'listr2';
import type { ImportProgress, ImportResult } from '../application/delivery/import/import-events.js';

interface ShowOptions {
  readonly file: string;
  /** null: recognised line by line. */
  readonly mapping: string | null;
  /** Bytes of the file. */
  readonly size: number;
  readonly json?: boolean | undefined;
  readonly isTTY?: boolean | undefined;
  readonly out: Writable;
  readonly err: Writable;
}

type Work = (
  onProgress: (progress: ImportProgress) => void,
  onRefused: (line: number, reason: string) => void,
) => Promise<ImportResult>;

/** How many refused lines the JSON summary holds; the error stream names every one. */
const LISTED_REFUSALS = 1_000;
const LINE_EVERY_MS = 1_000;

/**
 * What a person (or a pipe, or a program) sees of an import: a bar on a terminal; at most one line a second in a pipe;
 * with `json` one document at the end, and one for each refused line on `err`. Each refused line is named on `err`, on a terminal once the bar has gone.
 */
export function showImport(options: ShowOptions): {
  run(work: Work): Promise<ImportResult>;
  summary(result: ImportResult, exitCode: number): void;
} {
  const { out, err, file } = options;
  const isTTY = options.isTTY ?? ('isTTY' in out && out.isTTY === true);
  const refusals: { line: number; reason: string }[] = [];
  const startedAt = performance.now();

  const onRefused = (line: number, reason: string) => {
    if (refusals.length < LISTED_REFUSALS) refusals.push({ line, reason });
    err.write(
      options.json ? `${JSON.stringify({ refused: { line, reason } })}\n` : `line ${line}: refused: ${reason}\n`,
    );
  };
  const describe = (progress: ImportProgress) => {
    const share = options.size === 0 ? 1 : Math.min(1, progress.bytes / options.size);
    const leftMs = share === 0 ? 0 : ((performance.now() - startedAt) * (1 - share)) / share;
    const left = leftMs < 1_000 ? '' : `, about ${Math.ceil(leftMs / 1_000)} s left`;
    return { share, text: `${Math.floor(share * 100)} %, line ${progress.lastLine}: ${countsOf(progress)}${left}` };
  };

  return {
    async run(work) {
      if (options.json) return work(() => undefined, onRefused);
      if (isTTY) return runWithBar(work, options, describe, onRefused);
      out.write(`Importing ${file} (${options.size} bytes, mapping ${options.mapping ?? 'by line'})\n`);
      let shownAt = performance.now();
      return work((progress) => {
        if (performance.now() - shownAt < LINE_EVERY_MS) return;
        shownAt = performance.now();
        out.write(`${describe(progress).text}\n`);
      }, onRefused);
    },
    summary(result, exitCode) {
      if (options.json) {
        const { bytes: _bytes, ...counts } = result;
        out.write(`${JSON.stringify({ file, mapping: options.mapping, ...counts, exitCode, refusals })}\n`);
        return;
      }
      out.write(`${file}: ${result.lines} events: ${countsOf(result)}\n`);
      if (result.truncated > 0)
        out.write(`${result.truncated} were cut for their size; their hash and length are kept\n`);
      if (result.timeMissing > 0)
        out.write(`${result.timeMissing} name no time: the time of this import stands for it\n`);
      if (options.mapping === null) out.write(describeMappings(result));
      if (result.ended === 'aborted') {
        out.write(
          `Stopped after line ${result.lastLine}: run the same command again to go on; what is in is recognised\n`,
        );
      } else if (result.refused > 0) {
        out.write('Refused lines are named on the error stream: mend them and run the same command again\n');
      }
    },
  };
}

/** What was read as what, and what was left to the default mapping for want of a mapping that knows it. */
function describeMappings({ byMapping, unrecognized: { none, several } }: ImportResult): string {
  const read = Object.entries(byMapping).map(([name, count]) => `${count} as ${name}`);
  const left = [
    ...(none === 0 ? [] : [`${none} that no mapping recognises`]),
    ...(several === 0 ? [] : [`${several} that more than one does`]),
  ];
  if (read.length === 0) return '';
  return `Read ${read.join(', ')}${left.length === 0 ? '' : `; as default for want of one: ${left.join(', ')}`}\n`;
}

function countsOf(progress: ImportProgress): string {
  return `${progress.imported} imported, ${progress.replayed} replayed, ${progress.refused} refused`;
}

const BAR_WIDTH = 24;

async function runWithBar(
  work: Work,
  options: ShowOptions,
  describe: (progress: ImportProgress) => { share: number; text: string },
  onRefused: (line: number, reason: string) => void,
): Promise<ImportResult> {
  const stream = options.out as NodeJS.WriteStream;
  const processOutput = new ProcessOutput(stream, options.err as NodeJS.WriteStream);
  const context: { result?: ImportResult } = {};
  const tasks = new Listr<typeof context>(
    [
      {
        title: `Importing ${options.file}`,
        task: async (held, task) => {
          held.result = await work((progress) => {
            const { share, text } = describe(progress);
            const done = Math.round(share * BAR_WIDTH);
            task.output = `${'█'.repeat(done)}${'░'.repeat(BAR_WIDTH - done)} ${text}`;
          }, onRefused);
        },
      },
    ],
    {
      ctx: context,
      registerSignalListeners: false,
      forceTTY: true, // decided above, by the stream written to
      rendererOptions: { logger: new ListrLogger({ useIcons: false, toStderr: [], processOutput }) },
    },
  );
  const { result } = await tasks.run();
  return result as ImportResult;
}
