import { pathToFileURL } from 'node:url';

const folder = process.env.OUTBOX_UNDER_TEST_DIST;
const root = folder === undefined ? new URL('../../dist/', import.meta.url) : pathToFileURL(`${folder}/`);

/** The URL of a file of the built package: of dist/, or of the build that stands in for it (test/chaos/planted). */
export function built(path: string): string {
  return new URL(path, root).href;
}
