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
  /** Requests worked on at once; probes not counted. */
  readonly maxInFlight: number;
  /** API keys that fail for one remote address in a minute; further ones are answered 429. */
  readonly maxFailedKeysPerMinute: number;
  /** Exports at once in this process; each holds a page in memory. */
  readonly maxExports: number;
  /** Of one API key: less, so that no key has them all. */
  readonly maxExportsPerKey: number;
  /** Pages of a list looked for at once in this process: each takes up to two seconds of a connection to read by. */
  readonly maxSearches: number;
  readonly maxSearchesPerKey: number;
  /** How long the reader of an export may take over one page. */
  readonly exportPageMs: number;
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
  maxFailedKeysPerMinute: 100,
  maxExports: 8,
  maxExportsPerKey: 2,
  maxSearches: 20,
  maxSearchesPerKey: 2,
  exportPageMs: 60_000,
  closeGraceMs: 10_000,
};
