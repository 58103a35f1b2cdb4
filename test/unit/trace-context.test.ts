// W3C Trace Context, read. Nothing is fake.
import { readTraceContext, traceIdOf } from '../../src/domain/trace-context.js';

const TRACE = 'a'.repeat(32);
const SPAN = 'b'.repeat(16);
const TRACEPARENT = `00-${TRACE}-${SPAN}-01`;

it('is read with its tracestate, and without one that is empty, too long or no text', () => {
  expect(readTraceContext({ traceparent: TRACEPARENT, tracestate: 'a=1' })).toEqual({
    traceparent: TRACEPARENT,
    tracestate: 'a=1',
  });
  for (const tracestate of ['', 'x'.repeat(513), 7, null, undefined]) {
    expect(readTraceContext({ traceparent: TRACEPARENT, tracestate })).toEqual({ traceparent: TRACEPARENT });
  }
  expect(traceIdOf(TRACEPARENT)).toBe(TRACE);
});

it.each([
  undefined,
  null,
  7,
  '',
  `ff-${TRACE}-${SPAN}-01`,
  `00-${'0'.repeat(32)}-${SPAN}-01`,
  `00-${TRACE}-${'0'.repeat(16)}-01`,
  `00-${TRACE.toUpperCase()}-${SPAN}-01`,
  `${TRACEPARENT}\n`,
  `${TRACEPARENT}-x`,
])('%j is no context', (traceparent) => {
  expect(readTraceContext({ traceparent, tracestate: 'a=1' })).toBeUndefined();
  expect(traceIdOf(traceparent)).toBeUndefined();
});
