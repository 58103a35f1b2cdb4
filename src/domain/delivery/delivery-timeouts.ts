/** R13, in milliseconds. Each deadline lies inside the next one, so that only the destination can run an attempt out. */
export interface AttemptDeadlines {
  /** For one call to the outbox database. */
  readonly storeMs: number;
  /** For the whole dispatch: waiting for a place, mapping, sending. */
  readonly sendMs: number;
  /** For the attempt, settling tried again included. Below Temporal's start-to-close. */
  readonly totalMs: number;
}

export interface DeliveryTimeouts {
  readonly local: AttemptDeadlines & { readonly startToCloseMs: number; readonly scheduleToStartMs: number };
  readonly regular: AttemptDeadlines & {
    readonly startToCloseMs: number;
    /** Only of handlers that may take longer than `DEFAULT_HANDLER_MS`: without a heartbeat for so long, it is lost. */
    readonly heartbeatMs?: number;
  };
}

/** How long a handler may take for one event unless it says otherwise, and what it may say. */
export const DEFAULT_HANDLER_MS = 15_000;
export const HANDLER_MS = { min: 100, max: 600_000 };

/** R14: how long a regular attempt waits for a place before it asks to be retried. The handler's own time comes after. */
export const PLACE_WAIT_MS = 1_000;

const LOCAL_HANDLER_MS = 2_000;
const HEARTBEAT_MS = 30_000;

/**
 * The deadlines of the attempts at one destination.
 *
 * The local ones, waiting to be started included, stay below 80 % of the workflow task's 5 s: there the SDK asks for a
 * second workflow task to keep the first attempt alive, which costs two more round trips.
 */
export function deliveryTimeouts(handlerMs: number = DEFAULT_HANDLER_MS): DeliveryTimeouts {
  const localMs = Math.min(LOCAL_HANDLER_MS, handlerMs);
  return {
    local: {
      storeMs: 300,
      sendMs: localMs,
      totalMs: localMs + 700,
      startToCloseMs: localMs + 800,
      scheduleToStartMs: 1_000,
    },
    regular: {
      storeMs: 2_000,
      sendMs: PLACE_WAIT_MS + handlerMs,
      totalMs: handlerMs + 4_500,
      startToCloseMs: handlerMs + 5_000,
      ...(handlerMs > DEFAULT_HANDLER_MS ? { heartbeatMs: HEARTBEAT_MS } : {}),
    },
  };
}

/** A local attempt could only run out of its time: the first one is regular. */
export function startsRegular({ regular }: DeliveryTimeouts): boolean {
  return regular.heartbeatMs !== undefined;
}

export const DEFAULT_TIMEOUTS: DeliveryTimeouts = deliveryTimeouts();
