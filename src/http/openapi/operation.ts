import type { z } from 'zod';
import type { ProblemCode } from '../../contract/audit-api.js';
import type { ApiKeyScope } from '../../domain/audit/api-key.js';

/**
 * One row of the table that the OpenAPI document is made from. To add a route: a row in the file of its area, whose list
 * `operations.ts` joins; tests fail while the router and the table differ, and while a server answers with what its row
 * does not say.
 */
export interface Operation {
  /** Unique; names the method in generated clients. */
  readonly id: string;
  readonly method: 'get' | 'post' | 'delete';
  /** With `{name}` where Express has `:name`. */
  readonly path: string;
  readonly area: Area;
  /** A few words, without a full stop. */
  readonly summary: string;
  readonly description?: string;
  /** Any one of them is enough. Left out: no key is asked for. */
  readonly scopes?: readonly [ApiKeyScope, ...ApiKeyScope[]];
  /** By a session of the monitor and nothing else; one of them may also stand in for a key wherever `scopes` are named. */
  readonly session?: true;
  readonly parameters?: readonly PathParameter[];
  /** A strict object of the query: one parameter for each key. */
  readonly query?: z.ZodObject;
  readonly headers?: readonly HeaderParameter[];
  /** By media type. */
  readonly body?: Readonly<Record<string, RequestBody>>;
  /** Of a route that takes requests without one, too. */
  readonly bodyMayBeLeftOut?: true;
  readonly answers: readonly [Answer, ...Answer[]];
  /**
   * Beyond those that every route can answer with, and those that follow from `scopes` and `body` (`problems.ts`).
   * Those of single items of a batch are not meant.
   */
  readonly problems?: readonly ProblemCode[];
}

export const AREAS = {
  audit: 'The audit log: the only entrance, and which events stand.',
  records: 'Reading the audit log.',
  log: 'That nothing in the audit log was changed: checkpoints and proofs of RFC 9162 and C2SP.',
  'failed ingest': 'What the audit log could not store for a reason of its own.',
  overview: 'How the delivery stands, and what it did in a while.',
  events: 'What was appended, and what became of each.',
  'dead letters': 'Events that will not be retried by themselves.',
  'redrive jobs': 'Many dead letters at once, at a bounded rate.',
  destinations: 'Where events go: breakers, pauses, outages.',
  books: 'What became of the events of each hour.',
  'blocked aggregates': 'Who waits behind a dead event.',
  policies: 'How often and when a failed delivery is tried again, in what order and together with what.',
  monitor: 'Signing in to the page at /monitor, and what it is told by itself.',
  probes: 'For load balancers and orchestrators. Asked for without a key, never refused for load.',
  reference: 'This document.',
} as const;
export type Area = keyof typeof AREAS;

/** A schema of the document's components, referred to by its name. */
export interface Named {
  readonly name: string;
  readonly schema: z.ZodType;
}

export function named(name: string, schema: z.ZodType): Named {
  return { name, schema };
}

export interface PathParameter {
  readonly name: string;
  readonly description: string;
  readonly schema: z.ZodType;
  readonly example: string;
}

export interface HeaderParameter {
  readonly name: string;
  readonly description: string;
}

export interface RequestBody {
  /** One, or several of which one fits. */
  readonly schema: Named | readonly Named[];
  readonly examples: Readonly<Record<string, unknown>>;
}

export interface Answer {
  readonly status: number;
  readonly description: string;
  /** Left out: no body. One, or several of which one fits. */
  readonly schema?: Named | readonly Named[];
  /** Default: application/json. Of any other the body is text: the schema is left out. Several: what was asked for decides. */
  readonly mediaType?: string | readonly [string, ...string[]];
  /** Beyond those of every answer. */
  readonly headers?: readonly ResponseHeader[];
  readonly example?: unknown;
}

/** Described in `headers.ts`. */
export type ResponseHeader = 'Idempotency-Replayed' | 'Retry-After' | 'ETag' | 'Content-Disposition' | 'Set-Cookie';
