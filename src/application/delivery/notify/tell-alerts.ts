/**
 * Tells people of alerts: once when one begins, once when it is over, through every channel of its route. Done by the holder
 * of one lease, without Temporal.
 *
 * A try is noted before it is made, and its end after: a process that dies in between makes another one tell it again, with
 * the same idempotency key. A channel that does not take it is tried again, later and later, for as long as a notice of
 * dead letters is; then it is given up, and that is noted too. What every channel has given up is an error in the log,
 * and is told anew an hour later for as long as it goes on.
 */
import { createHash } from 'node:crypto';
import type { Metrics } from '../../metrics/metrics.js';
import type { LeaseHold, Logger } from '../ports.js';
import type { RelayTime } from '../relay-time.js';
import type { AlertStore, DueAlert, Telling, Tellings } from './alert-ports.js';
import { toLogLine } from './log-line.js';
import type { NotifyError } from './notify-error.js';
import { type AlertNotice, NOTICE_GIVE_UP_MS, type NoticeLinks, type Notifier } from './ports.js';
import { type NoticeRoutes, routeNotice } from './route-notice.js';
import { NOTICE_TIMEOUT_MS, sendNotice } from './send-notice.js';

export interface TellAlertsDeps {
  readonly alerts: AlertStore;
  readonly notifiers: readonly Notifier[];
  readonly routes: NoticeRoutes;
  readonly links: NoticeLinks;
  readonly context: { readonly log: Logger; readonly time: Pick<RelayTime, 'now'>; readonly metrics?: Metrics };
}

export interface TellAlertsOptions {
  /** One that comes back is not told again before. Default 10 min. */
  readonly quietMs?: number;
  readonly giveUpMs?: number;
  /** The first time between two tries of a channel; twice as long each time. Default 5 s. */
  readonly retryMs?: number;
  /** After every channel gave up what still goes on. Default an hour. */
  readonly anewMs?: number;
}

/** Told beside each other: a channel that hangs holds the others back by one deadline. */
const AT_ONCE = 10;
const MOST_RETRY_MS = 300_000;
const DEFAULTS = { quietMs: 600_000, giveUpMs: NOTICE_GIVE_UP_MS, retryMs: 5_000, anewMs: 3_600_000 };

/** One round. Throws what the store throws. */
export async function tellAlerts(
  deps: TellAlertsDeps,
  hold: LeaseHold,
  signal: AbortSignal,
  options: TellAlertsOptions = {},
): Promise<void> {
  const times = { ...DEFAULTS, ...options };
  const due = await deps.alerts.due(AT_ONCE, times.quietMs);
  await Promise.all(due.map((one) => tellOne(deps, { hold, signal, due: one, times })));
  await deps.alerts.forget(hold);
}

interface Task {
  readonly hold: LeaseHold;
  readonly signal: AbortSignal;
  readonly due: DueAlert;
  readonly times: Required<TellAlertsOptions>;
}

async function tellOne(deps: TellAlertsDeps, task: Task): Promise<void> {
  const { due, hold, times } = task;
  const { alerts, notifiers, routes, links } = deps;
  const phase = due.overAt === null ? 'raised' : 'over';
  const notice = toNotice(due, links);
  const routed = routeNotice({ notifiers, notify: routes }, notice).filter(
    ({ name }) => phase === 'raised' || mayHaveArrived(due.tellings[name]?.raised),
  );
  const open = routed.filter(({ name }) => stateOf(due.tellings[name]?.[phase], due.now) === 'open');

  const underWay = Object.fromEntries(open.map(({ name }) => [name, begin(due.tellings[name]?.[phase], due.now)]));
  const begun = merge(due.tellings, phase, underWay);
  // Longer than a try takes: where nobody notes its end, it is made again.
  const noted = await alerts.note(hold, due, { tellings: begun, settled: false, againInMs: 2 * NOTICE_TIMEOUT_MS });
  if (!noted) return;

  const startedAt = deps.context.time.now();
  const ended = await Promise.all(
    open.map(async (notifier) => {
      const error = await tryOne(deps, task, notifier, notice);
      const now = due.now + (deps.context.time.now() - startedAt);
      return [notifier.name, end(underWay[notifier.name] as Telling, error, { now, ...times })] as const;
    }),
  );
  const tried = merge(begun, phase, Object.fromEntries(ended));
  for (const [channel, { state, code }] of ended) {
    const fields = { channel, alert: due.alert.kind, subject: due.alert.subject, code };
    if (state === 'given_up') deps.context.log.error(fields, 'alert.given_up');
  }
  const now = due.now + (deps.context.time.now() - startedAt);
  const unheard = routed.length > 0 && routed.every(({ name }) => tried[name]?.[phase]?.state === 'given_up');
  if (unheard) sayInLog(deps, notice, tried);
  const anew =
    unheard && phase === 'raised'
      ? routed.map(({ name }) => [name, putOff(tried[name]?.raised as Telling, now + times.anewMs)] as const)
      : [];
  const tellings = merge(tried, phase, Object.fromEntries(anew));
  const waiting = routed.flatMap(({ name }) => {
    const telling = tellings[name]?.[phase];
    return telling?.state === 'waiting' ? [telling.nextAt - now] : [];
  });
  const againInMs = waiting.length === 0 ? 0 : Math.max(1, Math.floor(Math.min(...waiting)));
  await alerts.note(hold, due, { tellings, settled: waiting.length === 0, againInMs });
}

/** The channel that always stands. */
function sayInLog({ context }: TellAlertsDeps, notice: AlertNotice, tellings: Tellings): void {
  const { fields, message } = toLogLine(notice);
  const notTaken = Object.fromEntries(
    Object.entries(tellings).map(([name, { raised, over }]) => [name, (over ?? raised)?.code]),
  );
  context.log.error({ ...fields, notTaken }, message);
}

async function tryOne(
  { links, context }: TellAlertsDeps,
  { due, signal }: Task,
  notifier: Notifier,
  notice: AlertNotice,
): Promise<NotifyError | null> {
  const idempotencyKey = keyOf(due, links.deployment);
  try {
    await sendNotice(notice, { notifier, idempotencyKey, signal, log: context.log });
    context.metrics?.count('outbox_notices_total', { channel: notifier.name, outcome: 'sent' });
    return null;
  } catch (error) {
    const failure = error as NotifyError;
    context.metrics?.count('outbox_notices_total', { channel: notifier.name, outcome: 'failed' });
    const { message: reason, code, retryable } = failure;
    context.log.warn({ channel: notifier.name, alert: due.alert.kind, code, retryable, reason }, 'alert.not_sent');
    return failure;
  }
}

/** The same for every try of one word about one occurrence. */
function keyOf({ alert: { kind, subject }, since, overAt }: DueAlert, deployment: string): string {
  const name = JSON.stringify([deployment, kind, subject, since, overAt]);
  return `alert_${createHash('sha256').update(name).digest('hex').slice(0, 32)}`;
}

function toNotice({ alert, since: from, overAt }: DueAlert, links: NoticeLinks): AlertNotice {
  const since = new Date(from).toISOString();
  if (overAt === null) return { ...alert.fields, ...links, at: since, kind: alert.kind } as AlertNotice;
  const base = { ...links, at: new Date(overAt).toISOString() };
  const { kind, subject } = alert;
  if (kind === 'breaker_opened') return { ...base, kind: 'breaker_closed', destination: subject, openedAt: since };
  return { ...base, kind: 'recovered', alert: kind, subject: subject === '' ? null : subject, since };
}

/** Who was not told that it began need not be told that it is over. Under way when its process died: it may have been. */
function mayHaveArrived(raised: Telling | undefined): boolean {
  return raised?.state === 'sent' || (raised?.state === 'waiting' && raised.code === null);
}

function stateOf(telling: Telling | undefined, now: number): 'open' | 'waiting' | 'done' {
  if (telling === undefined) return 'open';
  if (telling.state !== 'waiting') return 'done';
  return telling.nextAt <= now ? 'open' : 'waiting';
}

function begin(telling: Telling | undefined, now: number): Telling {
  const { tries, firstAt } = telling ?? { tries: 0, firstAt: now };
  return { state: 'waiting', tries: tries + 1, firstAt, nextAt: now, code: null };
}

function end(
  telling: Telling,
  error: NotifyError | null,
  { now, giveUpMs, retryMs }: { now: number; giveUpMs: number; retryMs: number },
): Telling {
  if (error === null) return { ...telling, state: 'sent' };
  const code = error.code ?? 'HANDLER.FAILED';
  const delayMs = error.retryAfterMs ?? Math.min(MOST_RETRY_MS, retryMs * 2 ** Math.min(telling.tries - 1, 20));
  const nextAt = now + delayMs;
  const givenUp = !error.retryable || nextAt - telling.firstAt > giveUpMs;
  return { ...telling, state: givenUp ? 'given_up' : 'waiting', nextAt, code };
}

/** As if it were told for the first time then. It keeps its code: nobody has heard of it. */
function putOff(telling: Telling, at: number): Telling {
  return { ...telling, state: 'waiting', tries: 0, firstAt: at, nextAt: at };
}

function merge(tellings: Tellings, phase: 'raised' | 'over', changed: Readonly<Record<string, Telling>>): Tellings {
  const names = Object.keys(changed).map((name) => [name, { ...tellings[name], [phase]: changed[name] }]);
  return { ...tellings, ...Object.fromEntries(names) };
}
