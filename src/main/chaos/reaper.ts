/**
 * A process of its own that outlives a killed run: it reads on stdin what the run has started, and when that pipe closes it ends
 * what is left, last started first, and removes the run's folders. A process is ended only while it is still the one that was
 * named: process ids are used again. Without /proc it ends nothing.
 *
 * One line of JSON each: `{"watch":{"pid":1,"started":"2","signal":"SIGQUIT"}}`, `{"forget":1}`, `{"folder":"/tmp/x"}`,
 * `{"mount":"/tmp/x"}`, `{"unmounted":"/tmp/x"}`.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

export type ReaperLine =
  | { readonly watch: WatchedProcess }
  | { readonly forget: number }
  | { readonly folder: string }
  | { readonly mount: string }
  | { readonly unmounted: string };

export interface WatchedProcess {
  readonly pid: number;
  /** The 22nd field of /proc/pid/stat. */
  readonly started: string;
  readonly signal: NodeJS.Signals;
}

/** When the process was started, in the kernel's ticks; null: there is no such process, or no /proc. */
export function startOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the program's name in brackets, which may itself hold brackets and spaces.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null; // ended, or there is no /proc
  }
}

async function reap(): Promise<void> {
  const processes = new Map<number, WatchedProcess>();
  const folders = new Set<string>();
  const mounts = new Set<string>();
  for await (const text of createInterface({ input: process.stdin })) {
    const line = JSON.parse(text) as ReaperLine;
    if ('watch' in line) processes.set(line.watch.pid, line.watch);
    else if ('forget' in line) processes.delete(line.forget);
    else if ('folder' in line) folders.add(line.folder);
    else if ('mount' in line) mounts.add(line.mount);
    else mounts.delete(line.unmounted);
  }
  const left = [...processes.values()].reverse().filter(isStillIt);
  for (const { pid, signal } of left) signalTo(pid, signal);
  if (!(await allGone(left, ENDS_WITHIN_MS))) {
    for (const { pid } of left.filter(isStillIt)) signalTo(pid, 'SIGKILL');
    await allGone(left, ENDS_WITHIN_MS);
  }
  // Whoever may mount has it on PATH; one that is not mounted any more is no matter.
  for (const mount of mounts) spawnSync('umount', [mount], { timeout: ENDS_WITHIN_MS });
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
}

const ENDS_WITHIN_MS = 10_000;

function isStillIt({ pid, started }: WatchedProcess): boolean {
  return startOf(pid) === started;
}

function signalTo(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
    process.kill(pid, 'SIGCONT'); // a stopped one does not even see the signal
  } catch {
    // It ended in the meantime.
  }
}

async function allGone(processes: readonly WatchedProcess[], withinMs: number): Promise<boolean> {
  const deadline = Date.now() + withinMs;
  while (processes.some(isStillIt)) {
    if (Date.now() > deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return true;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  // A terminal's Ctrl-C is for the run, which takes things down in order.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
  await reap();
}
