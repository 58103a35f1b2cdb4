import type { Notice, Notifier } from './ports.js';

/** By event type: the names of the channels. `*` stands for every other type and for alerts of the environment. */
export type NoticeRoutes = Readonly<Record<string, readonly string[]>>;

/**
 * The channels of a notice: those of its event type, else those of `*`, else all, so that nothing goes unsaid for lack of a
 * route. An empty list is a word: nobody.
 */
export function routeNotice(
  { notifiers = [], notify = {} }: { readonly notifiers?: readonly Notifier[]; readonly notify?: NoticeRoutes },
  notice: Notice,
): readonly Notifier[] {
  const key = notice.kind === 'dead_letters' && Object.hasOwn(notify, notice.eventType) ? notice.eventType : '*';
  const names = Object.hasOwn(notify, key) ? notify[key] : undefined;
  return names === undefined ? notifiers : notifiers.filter(({ name }) => names.includes(name));
}
