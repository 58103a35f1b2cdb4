import { EVENT_LIMITS } from '../../../domain/delivery/outbox-event.js';
import { isNotifierName, NAME_RULE } from './define-notifier.js';
import type { Notifier } from './ports.js';

const EVENT_TYPE = /^[A-Za-z][A-Za-z0-9_.-]*$/;

/** Every problem of `notifiers` and of `notify`, the routes to them, each with its path. */
export function notifyProblems(notifiers: unknown, notify: unknown): string[] {
  if (!Array.isArray(notifiers)) return ['notifiers: expected an array'];
  const names = new Set<string>();
  const problems = notifiers.flatMap((notifier: Partial<Notifier> | null, index) => {
    const { name, send, problems: own = [] } = notifier ?? {};
    if (typeof send !== 'function') {
      return [`notifiers[${index}]: expected what slackNotifier, webhookNotifier, … or defineNotifier returns`];
    }
    const found = own.map(({ option, message }) => `notifiers[${index}].${option}: ${message}`);
    if (!isNotifierName(name)) return [...found, `notifiers[${index}].name: ${NAME_RULE}`];
    if (names.has(name)) found.push(`notifiers[${index}].name: a second notifier "${name}"; give one of them a name`);
    names.add(name);
    return found;
  });
  return [...problems, ...routeProblems(notify, names)];
}

function routeProblems(notify: unknown, names: ReadonlySet<string>): string[] {
  if (typeof notify !== 'object' || notify === null || Array.isArray(notify)) return ['notify: expected an object'];
  return Object.entries(notify).flatMap(([eventType, route]: [string, unknown]) => {
    const path = `notify[${JSON.stringify(eventType)}]`;
    if (eventType !== '*' && !(EVENT_TYPE.test(eventType) && eventType.length <= EVENT_LIMITS.eventType)) {
      return [`${path}: expected an event type, or "*" for every other`];
    }
    if (!Array.isArray(route)) return [`${path}: expected an array of names of notifiers`];
    return route.flatMap((name: unknown, index) => {
      if (typeof name !== 'string' || !names.has(name)) {
        const known = [...names].join(', ') || 'none';
        return [`${path}[${index}]: expected the name of a notifier; there are: ${known}`];
      }
      return route.indexOf(name) === index ? [] : [`${path}[${index}]: "${name}" is there already`];
    });
  });
}
