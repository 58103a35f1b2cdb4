import type { Environment } from './load-settings.js';

/** The environment of this process: the only place that reads it. */
export function processEnvironment(): Environment {
  return process.env;
}
