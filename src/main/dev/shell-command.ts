/** Paths and commands as a person at the terminal can paste them. */
import { relative, resolve } from 'node:path';

/** Relative where it is below the working directory; quoted where a shell would take it apart. */
export function pathOf(file: string): string {
  const absolute = resolve(file);
  const near = relative(process.cwd(), absolute);
  const path = near === '' || near.startsWith('..') ? absolute : near;
  return /^[\w./@+-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}

/** Makes `outbox …` this very command line, with the environment of a file, in the shell that it is pasted into. */
export function outboxFunction(envFile: string): string {
  // By the node that runs here: the one in another terminal's PATH may be too old.
  const [node, script] = [process.execPath, process.argv[1] as string];
  return `outbox() { ${pathOf(node)} --env-file=${pathOf(envFile)} ${pathOf(script)} "$@"; }`;
}
