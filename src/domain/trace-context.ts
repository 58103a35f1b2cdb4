/** Where a span stands in its trace, as W3C Trace Context (https://www.w3.org/TR/trace-context/, section 3) writes it. */
export interface TraceContext {
  readonly traceparent: string;
  readonly tracestate?: string;
}

/** Version ff and ids of zeros are no contexts (sections 3.2.2.1 to 3.2.2.4). */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;
const TRACESTATE_LENGTH = 512;

/** Of an event's or a request's headers; undefined where they have none, or one that does not fit. */
export function readTraceContext(headers: {
  readonly traceparent?: unknown;
  readonly tracestate?: unknown;
}): TraceContext | undefined {
  const { traceparent, tracestate } = headers;
  if (typeof traceparent !== 'string' || !TRACEPARENT.test(traceparent)) return undefined;
  const state =
    typeof tracestate === 'string' && tracestate !== '' && tracestate.length <= TRACESTATE_LENGTH ? { tracestate } : {};
  return { traceparent, ...state };
}

/** The trace's id, 32 hex digits. */
export function traceIdOf(traceparent: unknown): string | undefined {
  return typeof traceparent === 'string' ? TRACEPARENT.exec(traceparent)?.[1] : undefined;
}
