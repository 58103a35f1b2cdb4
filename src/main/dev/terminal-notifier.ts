import type { Writable } from 'node:stream';
import { describeNotice } from '../../application/delivery/notify/describe-notice.js';
import { plainText } from '../../application/delivery/notify/plain-text.js';
import type { Notifier } from '../../application/delivery/notify/ports.js';

/** One line for each notice, beside the channels of the configuration: somebody sits at this terminal. */
export function terminalNotifier(out: Writable): Notifier {
  return {
    name: 'outbox-dev-terminal',
    async send(notice) {
      const { title } = describeNotice(notice);
      out.write(`notice    ${plainText(title, 200)} (one for the group; in outbox.log: notice.${notice.kind})\n`);
    },
  };
}
