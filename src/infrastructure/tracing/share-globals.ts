/**
 * OpenTelemetry's globals, so that a handler's own instrumentation joins in: one set for the program, however many roles it
 * starts one by one. The first start sets them, and the last stop takes them away. Where the program has an SDK of its own, that
 * stays.
 */
import {
  context,
  DiagLogLevel,
  diag,
  ProxyTracerProvider,
  propagation,
  type Tracer,
  type TracerProvider,
  trace,
} from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import type { Logger } from '../../application/delivery/ports.js';

export interface GlobalsUser {
  readonly provider: TracerProvider;
  readonly log: Logger;
}

/** Of the program, as the globals themselves are. */
const users: GlobalsUser[] = [];
let undo: readonly (() => void)[] = [];

/** Makes no span. */
const NOBODY = new ProxyTracerProvider();

/** Returns the end of the use; a second call of it does nothing. */
export function shareGlobals(user: GlobalsUser): () => void {
  users.push(user);
  if (users.length === 1) undo = setGlobals();
  return () => {
    const at = users.indexOf(user);
    if (at === -1) return;
    users.splice(at, 1);
    if (users.length > 0) return;
    for (const step of undo) step();
    undo = [];
  };
}

function setGlobals(): (() => void)[] {
  const steps = [
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable()) && (() => context.disable()),
    propagation.setGlobalPropagator(new W3CTraceContextPropagator()) && (() => propagation.disable()),
    trace.setGlobalTracerProvider(ofTheFirst) && (() => trace.disable()),
  ];
  const set = steps.filter((step) => step !== false);
  // Of a program with an SDK of its own, what that SDK says of itself is its own, too.
  if (set.length < steps.length) return set;
  // What the SDK says of itself at debug: that spans are lost is told apart.
  const say = (message: string) => users[0]?.log.debug({ reason: message.slice(0, 300) }, 'tracing.sdk');
  diag.setLogger({ error: say, warn: say, info: () => {}, debug: () => {}, verbose: () => {} }, DiagLogLevel.WARN);
  return [...set, () => diag.disable()];
}

/** A handler keeps its tracer for good: each span asks anew who is there, for the one that was may have stopped. */
const ofTheFirst: TracerProvider = {
  getTracer(...named) {
    const tracer = () => (users[0]?.provider ?? NOBODY).getTracer(...named);
    return {
      startSpan: (...given) => tracer().startSpan(...given),
      startActiveSpan: (...given: unknown[]) => {
        const found = tracer();
        return Reflect.apply(found.startActiveSpan, found, given);
      },
    } as Tracer;
  },
};
