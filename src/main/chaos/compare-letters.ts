/** I4: of each dead letter somebody was told. */
import type { Indexed } from './compare-chaos.js';
import type { Finder } from './findings.js';

/** Returns the letters that nobody was told of. */
export function compareLetters({ books, notices }: Indexed, { say }: Finder): number {
  let untold = 0;
  const told = new Map<string, ReadonlySet<string>>();
  for (const { id, state, notifications } of books.letters) {
    const [notification] = notifications;
    if (notification === undefined || notifications.length > 1) {
      say('I4', `letter ${id}`, `expected one notification row, came ${notifications.length}`);
      continue;
    }
    const ends = Object.entries(notification.outcome);
    const sent = ends.filter(([, end]) => end === 'sent').map(([channel]) => channel);
    if (notification.claimedBy !== null) told.set(notification.claimedBy, new Set(sent));
    // Of a letter that was closed in time nobody need be told. Else a run has routes for everything: to nobody is untold.
    const needless = state !== 'open' && ends.length === 0;
    if (notification.done && (needless || sent.length > 0)) continue;
    untold += 1;
    const came = notification.done
      ? `none of ${ends.map(([channel]) => channel).join(', ') || 'no channel'} took it`
      : 'it is not sent';
    say('I4', `letter ${id}`, `expected that its group was told of; ${came}`);
  }
  for (const channel of ['slack', 'sentry', 'webhook']) {
    const groups = [...told.values()].filter((sent) => sent.has(channel)).length;
    const took = notices.filter((notice) => notice.channel === channel && notice.status < 300).length;
    if (took < groups) say('I4', channel, `expected ${groups} notices, for as many groups say "sent"; it took ${took}`);
  }
  return untold;
}
