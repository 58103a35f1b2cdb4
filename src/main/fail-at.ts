/**
 * For tests of races: the process kills itself, as a power cut would, at the point that OUTBOX_TEST_FAILPOINT names.
 * Unset, as everywhere else, it does nothing.
 */
export function failAt(wanted: string | undefined): (point: string) => void {
  return (point) => {
    if (point === wanted) process.kill(process.pid, 'SIGKILL');
  };
}
