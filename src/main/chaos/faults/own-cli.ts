import { fileURLToPath } from 'node:url';

/** The built command line that this code is part of. */
export const CLI = fileURLToPath(new URL('../../../cli/outbox.js', import.meta.url));
