import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { type ImportProgress, type ImportResult, importEvents } from '../application/delivery/import/import-events.js';
import { findMapping, IMPORT_MAPPINGS } from '../application/delivery/import/mappings/index.js';
import { EVENT_LIMITS } from '../domain/delivery/outbox-event.js';
import { createImportStore } from '../infrastructure/prisma/import-store.js';
import { createPool } from '../infrastructure/prisma/pg-pool.js';
import { EXIT, type ExitCode } from './exit-codes.js';
import { explainDatabase } from './explain-database.js';
import { describeFailure, type Failure, renderFailure } from './report-error.js';
import { showImport } from './show-import.js';

export interface ImportRequest {
  readonly file: string;
  /** One of `IMPORT_MAPPINGS`. Default: for each line the one that recognises it, else the default mapping. */
  readonly mapping?: string | undefined;
  readonly outboxUrl: string;
  /** Compared with the stored one where given (R1). */
  readonly deployment?: string | undefined;
  /** Of every event of the file. Default: no tenant. */
  readonly tenant?: string | undefined;
  /** One JSON document on `out` at the end, and nothing else there. */
  readonly json?: boolean | undefined;
  /** A progress bar instead of plain lines. Default: whether `out` is a terminal. */
  readonly isTTY?: boolean | undefined;
  readonly out: Writable;
  /** Refused lines and errors. */
  readonly err: Writable;
  /** Ends the import after the batch at hand. Default: the first SIGINT or SIGTERM of the process. */
  readonly signal?: AbortSignal | undefined;
}

/** `outbox import FILE [--mapping NAME]`: everything it has to say is written, the exit code returned; throws for bugs only. */
export async function runImport(request: ImportRequest): Promise<ExitCode> {
  const { file, err } = request;
  const fail = (kind: Failure['kind'], message: string) => {
    err.write(renderFailure({ kind, message }, { json: request.json }));
    return EXIT[kind];
  };
  const mapping = request.mapping === undefined ? null : findMapping(request.mapping);
  if (mapping === undefined) {
    const known = IMPORT_MAPPINGS.map(({ name, title }) => `  ${name}: ${title}`).join('\n');
    return fail('usage', `--mapping: none is named ${JSON.stringify(request.mapping)}; known are\n${known}`);
  }
  const tenantId = request.tenant ?? '';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it refuses
  if (tenantId.length > EVENT_LIMITS.tenantId || /[\u0000-\u001f\u007f]/.test(tenantId)) {
    const expected = `at most ${EVENT_LIMITS.tenantId} characters and no control characters`;
    return fail('usage', `--tenant: expected ${expected}`);
  }
  const size = await stat(file).then(
    (found) => (found.isDirectory() ? null : found.size),
    () => null,
  );
  if (size === null) return fail('noInput', `expected a readable file, found none at ${file}`);

  const pool = createPool(request.outboxUrl, { max: 1, applicationName: 'temporal-outbox import' });
  const stop = stopSignal(request.signal);
  let last: ImportProgress | null = null;
  try {
    const store = createImportStore(pool);
    const stored = await store.deploymentName();
    if (stored === null) {
      return fail('configuration', 'this outbox has no deployment name yet: run `outbox migrate deploy` first');
    }
    if (request.deployment !== undefined && request.deployment !== stored) {
      const message = `the outbox database belongs to deployment "${stored}", OUTBOX_DEPLOYMENT says "${request.deployment}"`;
      return fail('configuration', `${message}: set OUTBOX_DEPLOYMENT=${stored}, or name another database`);
    }
    const show = showImport({ ...request, mapping: mapping?.name ?? null, size });
    const result = await show.run((onProgress, onRefused) =>
      importEvents(
        createReadStream(file, { highWaterMark: 256 * 1024 }),
        { mapping, deployment: stored, tenantId },
        {
          store,
          signal: stop.signal,
          onRefused,
          onProgress: (progress) => {
            last = progress;
            onProgress(progress);
          },
        },
      ),
    );
    const code = exitCodeOf(result);
    show.summary(result, code);
    return code;
  } catch (error) {
    const { code, syscall } = error as { code?: unknown; syscall?: unknown };
    if (syscall === 'open' || syscall === 'read') {
      return fail('noInput', `${file} cannot be read (${String(code)}); ${howFar(last)}`);
    }
    const { kind, message } = describeFailure(explainDatabase(error, 'outbox'));
    if (kind === 'failed') throw error;
    return fail(kind, `${message}; ${howFar(last)}`);
  } finally {
    stop.release();
    await pool.end();
  }
}

function exitCodeOf(result: ImportResult): ExitCode {
  if (result.ended === 'aborted') return EXIT.interrupted;
  return result.refused > 0 ? EXIT.refused : EXIT.done;
}

/** A second signal finds no listener and ends the process at once. */
function stopSignal(given: AbortSignal | undefined): { signal: AbortSignal; release(): void } {
  if (given !== undefined) return { signal: given, release: () => undefined };
  const controller = new AbortController();
  const onSignal = () => {
    release();
    controller.abort();
  };
  const release = () => {
    process.removeListener('SIGINT', onSignal);
    process.removeListener('SIGTERM', onSignal);
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return { signal: controller.signal, release };
}

function howFar(last: ImportProgress | null): string {
  if (last === null) return 'nothing was imported';
  return `everything up to line ${last.lastLine} is settled; run the same command again to go on`;
}
