import { toLogLine } from '../../application/delivery/notify/log-line.js';
import type { Notifier } from '../../application/delivery/notify/ports.js';

/** Writes notices to the log of the process, `notice.<kind>`, at the level of their severity. */
export function logNotifier({ name = 'log' }: { readonly name?: string } = {}): Notifier {
  return {
    name,
    send: async (notice, { log }) => {
      const { level, fields, message } = toLogLine(notice);
      log[level](fields, message);
    },
  };
}
