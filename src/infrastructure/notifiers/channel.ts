/** What the channels over HTTP share: their name, their hosts, one request with its deadline, and what its answer means. */
import { lookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { toHttpError } from '../../application/delivery/handlers/to-http-error.js';
import { NotifyError, toNotifyError } from '../../application/delivery/notify/notify-error.js';
import type { Notifier, NotifierProblem } from '../../application/delivery/notify/ports.js';
import { NOTICE_TIMEOUT_MS } from '../../application/delivery/notify/send-notice.js';
import type { HttpResponse } from '../../application/delivery/ports.js';
import { type IntegrationError, isIntegrationError } from '../../domain/delivery/integration-error.js';
import { findResolvedProblem, findUrlProblem, type Guard, REFUSED_CODE } from './guard.js';

export interface ChannelOptions {
  /** Unique in a configuration. Default: the kind of the channel. */
  readonly name?: string;
  /** Hosts that may stand in a private network, and be spoken to by plain http: `['hooks.internal']`. Default: none. */
  readonly allowHosts?: readonly string[];
}

/** Who asks DNS; a test brings its own. */
export interface Outside {
  readonly lookup: LookupFunction;
}

export const OUTSIDE: Outside = { lookup: lookup as LookupFunction };

export interface Channel {
  readonly name: string;
  readonly guard: Guard;
  /** Of `allowHosts` and the URL, which stands under `urlOption`. */
  readonly problems: readonly NotifierProblem[];
  readonly verify: NonNullable<Notifier['verify']>;
}

export function openChannel(
  kind: string,
  { name = kind, allowHosts = [] }: ChannelOptions,
  { url, urlOption, outside }: { readonly url: unknown; readonly urlOption: string; readonly outside: Outside },
): Channel {
  const problems: NotifierProblem[] = [];
  const hosts = Array.isArray(allowHosts) ? allowHosts : [];
  if (hosts !== allowHosts) problems.push({ option: 'allowHosts', message: 'expected an array of host names' });
  for (const [index, host] of hosts.entries()) {
    if (isHost(host)) continue;
    const message = 'expected a host as a URL spells it, in lower case, without scheme, port or path';
    problems.push({ option: `allowHosts[${index}]`, message });
  }
  const problem = findUrlProblem(url, hosts);
  if (problem !== null) problems.push({ option: urlOption, message: problem });
  const guard = { allowHosts: hosts, lookup: outside.lookup };
  return {
    name,
    guard,
    problems,
    verify: async (signal) => {
      if (problem !== null) return [];
      const found = await findResolvedProblem(url as string, guard, signal);
      return found === null ? [] : [{ option: urlOption, message: found }];
    },
  };
}

function isHost(host: unknown): boolean {
  return typeof host === 'string' && URL.canParse(`https://${host}/`) && new URL(`https://${host}/`).hostname === host;
}

export interface ChannelRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** What a person may read of an answer that is no success, where the other side is known to say something harmless. */
  readonly hint?: (response: HttpResponse) => string | null;
}

/**
 * One POST on a connection of its own: notices are rare, and nothing has to be kept or closed between them. Resolves on any
 * 2xx. Throws a NotifyError.
 */
export async function postNotice(
  { name, guard }: Pick<Channel, 'name' | 'guard'>,
  request: ChannelRequest,
  signal: AbortSignal,
): Promise<void> {
  // Loaded here, since a producer loads the package, too, and never sends a notice.
  const { createHttpClient } = await import('../http/create-http-client.js');
  const { guardedConnect } = await import('./guarded-connect.js');
  const http = createHttpClient({ connections: 1, connect: guardedConnect(guard, NOTICE_TIMEOUT_MS) });
  try {
    const { url, headers, body } = request;
    const response = await http.send({ method: 'POST', url, headers, body, timeoutMs: NOTICE_TIMEOUT_MS, signal });
    if (response.status < 200 || response.status > 299) {
      const error = toNotifyError(name, toHttpError(response));
      const hint = request.hint?.(response) ?? null;
      throw hint === null ? error : withHint(error, hint);
    }
  } catch (error) {
    if (!isIntegrationError(error)) throw error;
    if (!isTakenAllTheSame(error)) throw refused(name, error) ?? toNotifyError(name, error);
  } finally {
    await http.close();
  }
}

/** A 2xx whose body is longer than we read: the notice was taken. */
function isTakenAllTheSame({ status }: IntegrationError): boolean {
  return status !== null && status >= 200 && status <= 299;
}

function refused(name: string, { cause }: IntegrationError): NotifyError | null {
  if ((cause as { code?: unknown } | undefined)?.code !== REFUSED_CODE) return null;
  return new NotifyError(`${name}: ${(cause as Error).message}`, { retryable: false, cause });
}

function withHint(error: NotifyError, hint: string): NotifyError {
  return new NotifyError(`${error.message}: ${hint}`, error);
}

/** What `send` of a channel with problems does: `defineConfig` refuses it, but nobody is made to ask that. */
export function refuseProblems(name: string, problems: readonly NotifierProblem[]): void {
  const [problem] = problems;
  if (problem === undefined) return;
  throw new NotifyError(`${name}: ${problem.option}: ${problem.message}`, { retryable: false });
}
