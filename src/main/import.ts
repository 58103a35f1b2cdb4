import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { type ImportProgress, type ImportResult, importEvents } from '../application/delivery/import/import-events.js';
import { findMapping, IMPORT_MAPPINGS } from '../application/delivery/import/mappings/index.js';
import { isIntegrationError } from '../domain/delivery/integration-error.js';
import { EVENT_LIMITS } from '../domain/delivery/outbox-event.js';
import { createImportStore } from '../infrastructure/prisma/import-store.js';
import { createPool } from '../infrastructure/prisma/pg-pool.js';
import { showImport } from './show-import.js';

/** BSD sysexits, so that a script can tell what to mend. */
export const IMPORT_EXIT = {
  allIn: 0,
  /** At least one line was refused and named; the rest is in. */
  refused: 65,
  noInput: 66,
  /** The database stayed away; the import can be run again. */
  unavailable: 69,
  configuration: 78,
  interrupted: 130,
} as const;
export type ImportExitCode = (typeof IMPORT_EXIT)[keyof typeof IMPORT_EXIT];

export interface ImportRequest {
  readonly file: string;
  /** One of `IMPORT_MAPPINGS`. */
  readonly mapping: string;
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

/** `outbox import FILE --mapping NAME`: everything it has to say is written, the exit code returned; throws for bugs only. */
export async function runImport(request: ImportRequest): Promise<ImportExitCode> {
  const { file, err } = request;
  const fail = (code: ImportExitCode, message: string) => {
    err.write(`outbox import: ${message}\n`);
    return code;
  };
  const mapping = findMapping(request.mapping);
  if (mapping === undefined) {
    const known = IMPORT_MAPPINGS.map(({ name, title }) => `  ${name}: ${title}`).join('\n');
    return fail(
      IMPORT_EXIT.configuration,
      `no mapping is named ${JSON.stringify(request.mapping)}; known are\n${known}`,
    );
  }
  const tenantId = request.tenant ?? '';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it refuses
  if (tenantId.length > EVENT_LIMITS.tenantId || /[\u0000-\u001f\u007f]/.test(tenantId)) {
    const expected = `at most ${EVENT_LIMITS.tenantId} characters and no control characters`;
    return fail(IMPORT_EXIT.configuration, `the tenant: expected ${expected}`);
  }
  const size = await stat(file).then(
    (found) => (found.isDirectory() ? null : found.size),
    () => null,
  );
  if (size === null) return fail(IMPORT_EXIT.noInput, `expected a readable file, found none at ${file}`);

  const pool = createPool(request.outboxUrl, { max: 1, applicationName: 'temporal-outbox import' });
  const stop = stopSignal(request.signal);
  let last: ImportProgress | null = null;
  try {
    const store = createImportStore(pool);
    const stored = await store.deploymentName();
    if (stored === null) {
      const message = 'this outbox has no deployment name yet: run `outbox migrate deploy --deployment NAME` first';
      return fail(IMPORT_EXIT.configuration, message);
    }
    if (request.deployment !== undefined && request.deployment !== stored) {
      const message = `this outbox is deployment ${stored}, the configuration says ${request.deployment}`;
      return fail(IMPORT_EXIT.configuration, message);
    }
    const show = showImport({ ...request, size });
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
    const [code, message] = explain(error, file);
    return fail(code, `${message}; ${howFar(last)}`);
  } finally {
    stop.release();
    await pool.end();
  }
}

function exitCodeOf(result: ImportResult): ImportExitCode {
  if (result.ended === 'aborted') return IMPORT_EXIT.interrupted;
  return result.refused > 0 ? IMPORT_EXIT.refused : IMPORT_EXIT.allIn;
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

const UNDEFINED_TABLE = '42P01';
const UNDEFINED_SCHEMA = '3F000';

function explain(error: unknown, file: string): [ImportExitCode, string] {
  if (isIntegrationError(error) && error.code === 'STORE.UNAVAILABLE') {
    return [IMPORT_EXIT.unavailable, 'the outbox database does not answer'];
  }
  const { code, syscall } = error as { code?: unknown; syscall?: unknown };
  if (code === UNDEFINED_TABLE || code === UNDEFINED_SCHEMA) {
    return [IMPORT_EXIT.configuration, 'this database has no outbox: run `outbox migrate deploy` first'];
  }
  if (syscall === 'open' || syscall === 'read')
    return [IMPORT_EXIT.noInput, `${file} cannot be read (${String(code)})`];
  throw error;
}

function howFar(last: ImportProgress | null): string {
  if (last === null) return 'nothing was imported';
  return `everything up to line ${last.lastLine} is settled; run the same command again to go on`;
}
