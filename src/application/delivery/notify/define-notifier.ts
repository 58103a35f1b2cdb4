import type { Notifier } from './ports.js';

const NAME = /^[a-z][a-z0-9_-]{0,39}$/;

/**
 * A channel of one's own. `send` gets a notice and a context with the deadline's signal; a NotifyError says whether to
 * try again. Throws a TypeError for a definition that cannot work.
 */
export function defineNotifier(notifier: Notifier): Notifier {
  if (!isNotifierName(notifier?.name)) throw new TypeError(`defineNotifier: name: ${NAME_RULE}`);
  if (typeof notifier.send !== 'function') {
    throw new TypeError(`defineNotifier: expected a function in send (notifier "${notifier.name}")`);
  }
  return notifier;
}

export const NAME_RULE = 'expected 1 to 40 of a to z, 0 to 9, "_" or "-", beginning with a letter';

export function isNotifierName(value: unknown): value is string {
  return typeof value === 'string' && NAME.test(value);
}
