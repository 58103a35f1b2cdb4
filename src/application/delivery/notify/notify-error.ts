import { catalogEntry, type ErrorCode } from '../../../domain/delivery/error-catalog.js';
import type { IntegrationError } from '../../../domain/delivery/integration-error.js';
import { RETRY_AFTER_BOUNDS } from '../../../domain/delivery/policy.js';
import { describeThrown } from '../classify-thrown.js';

export interface NotifyErrorOptions {
  /** Whether the same notice may go through later. */
  readonly retryable: boolean;
  /** As the other side asked, within [1 s, 1 h]; null where it did not ask. */
  readonly retryAfterMs?: number | null;
  /** What went wrong, by the error table; null where it has no word for it. */
  readonly code?: ErrorCode | null;
  readonly cause?: unknown;
}

/** Why a notice did not get through. Its message holds no URL, secret or answer: it is logged. */
export class NotifyError extends Error {
  override readonly name = 'NotifyError';
  readonly retryable: boolean;
  readonly retryAfterMs: number | null;
  readonly code: ErrorCode | null;

  constructor(message: string, { retryable, retryAfterMs = null, code = null, cause }: NotifyErrorOptions) {
    super(message, cause === undefined ? undefined : { cause });
    this.retryable = retryable;
    this.retryAfterMs = retryAfterMs;
    this.code = code;
  }
}

/** By shape, since a channel of the user's may bring its own copy of the class. */
export function isNotifyError(value: unknown): value is NotifyError {
  if (typeof value !== 'object' || value === null) return false;
  const { name, retryable, retryAfterMs } = value as { name?: unknown; retryable?: unknown; retryAfterMs?: unknown };
  return name === 'NotifyError' && typeof retryable === 'boolean' && ['number', 'object'].includes(typeof retryAfterMs);
}

/**
 * The NotifyError of an IntegrationError: what is final for an event is final for a notice, and Retry-After counts where the
 * table honours it. `HANDLER.FAILED` is a request that the transport refuses to send: it will not get better.
 */
export function toNotifyError(notifier: string, error: IntegrationError): NotifyError {
  const { rule } = catalogEntry(error.code);
  const asked = rule.kind === 'retry' && rule.honoursRetryAfter ? error.retryAfterMs : null;
  const status = error.status === null ? '' : `, status ${error.status}`;
  return new NotifyError(`${notifier}: ${catalogEntry(error.code).message} (${error.code}${status})`, {
    retryable: rule.kind !== 'final' && error.code !== 'HANDLER.FAILED',
    retryAfterMs: asked === null ? null : clampMs(asked),
    code: error.code,
    // Not the error itself: it keeps a part of the answer.
    cause: error.cause,
  });
}

/** The NotifyError of whatever a channel threw: its own, or one to retry that names what was thrown. Never throws. */
export function asNotifyError(notifier: string, thrown: unknown): NotifyError {
  if (thrown instanceof NotifyError) return thrown;
  const { name, message } = describeThrown(thrown);
  if (isNotifyError(thrown)) {
    const { retryable, retryAfterMs } = thrown;
    return new NotifyError(message, { retryable, retryAfterMs: retryAfterMs === null ? null : clampMs(retryAfterMs) });
  }
  return new NotifyError(`${notifier}: ${name} was thrown`, { retryable: true, code: 'HANDLER.FAILED', cause: thrown });
}

function clampMs(value: number): number {
  const { minMs, maxMs } = RETRY_AFTER_BOUNDS;
  return Number.isNaN(value) ? minMs : Math.min(Math.max(value, minMs), maxMs);
}
