import { open } from 'node:fs/promises';

/** Lines of a file that are on the disk once `write` has resolved: a kill of the process, or of the machine, takes none back. */
export interface DurableLines {
  readonly file: string;
  /** One line, without its end. Rejects where it is not certain to stand. */
  write(line: string): Promise<void>;
  /** After what is being written. Later lines are refused. */
  close(): Promise<void>;
}

interface Waiting {
  readonly line: string;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Appends to `file`. All lines that wait while the disk is busy share the next flush, so that many writers do not queue for
 * one each. Who writes bounds how many wait.
 */
export async function openDurableLines(file: string): Promise<DurableLines> {
  const handle = await open(file, 'a');
  let waiting: Waiting[] = [];
  let writing: Promise<void> | null = null;
  let closed = false;
  // The first line may follow one that a kill has cut; a failed write may have left half a line.
  let torn = (await handle.stat()).size > 0;

  const flush = async (): Promise<void> => {
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      try {
        const text = batch.map(({ line }) => `${line}\n`).join('');
        await handle.appendFile(torn ? `\n${text}` : text);
        await handle.datasync();
        torn = false;
        for (const one of batch) one.resolve();
      } catch (error) {
        torn = true;
        for (const one of batch) one.reject(error);
      }
    }
    writing = null;
  };
  return {
    file,
    write: (line) =>
      new Promise((resolve, reject) => {
        if (closed) {
          reject(new Error(`${file}: expected an open file, it is closed`));
          return;
        }
        waiting.push({ line, resolve, reject });
        writing ??= flush();
      }),
    async close() {
      closed = true;
      await writing;
      await handle.close();
    },
  };
}
