// CPU seconds that processes have used, by Linux's /proc.
import { readdirSync, readFileSync } from 'node:fs';

const TICKS_A_SECOND = 100; // USER_HZ is 100 wherever Linux runs

/** @returns {{ parent: number, own: number, ended: number } | null} null: it is gone */
function statOf(pid) {
  try {
    // The name, in parentheses, may hold spaces.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1).split(' ').map(Number);
    const seconds = (from) => (fields[from] + fields[from + 1]) / TICKS_A_SECOND;
    return { parent: fields[1], own: seconds(11), ended: seconds(13) };
  } catch {
    return null;
  }
}

/** Of this process alone: what it has started is counted by itself. */
export function readProcessorTime(pid) {
  return statOf(pid)?.own ?? 0;
}

/** With its children, living and ended ones: a PostgreSQL is a process for each session. */
export function readProcessorTimeOfTree(pid) {
  const root = statOf(pid);
  if (root === null) return 0;
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(statOf)
    .filter((stat) => stat?.parent === pid);
  return children.reduce((sum, child) => sum + child.own, root.own + root.ended);
}
