/** What one API process grants a caller. Times in milliseconds, sizes in bytes. */
export interface HttpLimits {
  /** From the connection (or the end of the previous request) to the last header. */
  readonly headersTimeoutMs: number;
  /** From the connection (or the end of the previous request) to the last byte of the body. */
  readonly requestTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  /** Request line and headers together. */
  readonly maxHeaderBytes: number;
  readonly maxUrlLength: number;
  /** Requests with a key that are worked on at once, until their answers are taken. */
  readonly maxInFlight: number;
  /** Of one API key: less, so that no key has them all. */
  readonly maxInFlightPerKey: number;
  /** Requests that wait on a connection for the answer to the one before. */
  readonly maxPipelined: number;
  /** How long a caller may take over an answer, from its last byte written; of exports see `exportPageMs`. */
  readonly responseTimeoutMs: number;
  /** API keys that fail for one remote address in a minute; further ones are answered 429. */
  readonly maxFailedKeysPerMinute: number;
  /** Tries to sign in to the monitor that fail for one remote address in a minute; further ones are answered 429. */
  readonly maxFailedSignInsPerMinute: number;
  /** Exports at once in this process; each holds a page in memory. */
  readonly maxExports: number;
  /** Of one API key: less, so that no key has them all. */
  readonly maxExportsPerKey: number;
  /** Pages of a list looked for at once in this process: each takes up to two seconds of a connection to read by. */
  readonly maxSearches: number;
  readonly maxSearchesPerKey: number;
  /** Lists and counts of the operations API at once in this process: fewer than it has connections to look by. */
  readonly maxOpsSearches: number;
  /** Of one person, or one API key: what a view of the monitor asks at once, and a count beside it. */
  readonly maxOpsSearchesPerKey: number;
  /** How long the reader of an export may take over one page. */
  readonly exportPageMs: number;
  /** Between two looks at whether the session that asked for an export still stands. */
  readonly exportSessionMs: number;
  /** How long `close` still takes requests of connections that are open, which callers sent before they knew. */
  readonly drainMs: number;
  /** How long `close` lets running requests finish. */
  readonly closeGraceMs: number;
}

export const DEFAULT_HTTP_LIMITS: HttpLimits = {
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  keepAliveTimeoutMs: 10_000,
  maxHeaderBytes: 16 * 1024,
  maxUrlLength: 2_048,
  maxInFlight: 256,
  maxInFlightPerKey: 64,
  maxPipelined: 16,
  responseTimeoutMs: 30_000,
  maxFailedKeysPerMinute: 100,
  maxFailedSignInsPerMinute: 30,
  maxExports: 8,
  maxExportsPerKey: 2,
  maxSearches: 20,
  maxSearchesPerKey: 2,
  maxOpsSearches: 5,
  maxOpsSearchesPerKey: 3,
  exportPageMs: 60_000,
  exportSessionMs: 5_000,
  drainMs: 500,
  closeGraceMs: 10_000,
};
