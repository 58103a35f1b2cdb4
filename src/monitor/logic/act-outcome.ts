/** What is known of a request that has failed: of one that was to change something this decides what is said. */
export interface FailedRequest {
  /** 0: there was no answer. */
  readonly status: number;
  readonly code: string;
}

/** Answers that say that nothing was done, although their status says that the fault is the api's. */
const NOT_DONE: ReadonlySet<string> = new Set(['overloaded', 'effect_not_told', 'session_not_known', 'still_failing']);

/**
 * Whether it may have been done all the same: there was no answer, or none of the api's, or one of a failure that may have come
 * behind the commit. null: the failure is none of a request's, and says nothing.
 */
export function mayHaveActed(failed: FailedRequest | null): boolean {
  if (failed === null) return true;
  const refused = failed.status >= 400 && failed.status < 500;
  return !refused && !NOT_DONE.has(failed.code);
}
