import type { OutboxConfig } from '../application/delivery/define-config.js';
import type { Notifier, NotifierProblem } from '../application/delivery/notify/ports.js';
import { ConfigurationError } from '../infrastructure/config/load-settings.js';

/** For all of them together: a DNS that does not answer delays a start by no more. */
const VERIFY_TIMEOUT_MS = 3_000;

/**
 * Refuses channels whose name leads into a network that is not public, before anything is started. What cannot be told now
 * is told when a notice is sent.
 * @throws ConfigurationError naming every such channel
 */
export async function verifyNotifiers(
  { notifiers = [] }: OutboxConfig,
  signal: AbortSignal,
  timeoutMs = VERIFY_TIMEOUT_MS,
): Promise<void> {
  const within = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  const timeIsUp = new Promise<readonly NotifierProblem[]>((resolve) => {
    within.addEventListener('abort', () => resolve([]), { once: true });
  });
  // A channel of the user's may throw or hang here; it has not said that its options are wrong then.
  const ask = async (notifier: Notifier) => (await notifier.verify?.(within)) ?? [];
  const problems = await Promise.all(
    notifiers.map(async (notifier, index) => {
      const found = await Promise.race([ask(notifier).catch(() => []), timeIsUp]);
      return found.map(({ option, message }) => `notifiers[${index}].${option}: ${message}`);
    }),
  );
  if (problems.flat().length > 0) throw new ConfigurationError(problems.flat());
}
