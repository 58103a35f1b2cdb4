import { refusePooledUrl, TransactionPooledError } from './refuse-transaction-pooling.js';

export interface SessionCheck {
  /** Throws what `refusePooledUrl` throws. Once answered it is not asked again: the answer stays until the process ends. */
  ask(): Promise<void>;
  /** What was found wrong, for /ready. */
  warnings(): readonly string[];
}

/**
 * Whether the audit log is reached by sessions of one's own. A worker starts while its audit log is away, so whatever does
 * something there asks before its first turn: it may be behind a pooler when it comes back.
 */
export function createSessionCheck(url: string | undefined): SessionCheck {
  let asked: Promise<void> | null = null;
  let pooled: string | null = null;
  return {
    ask() {
      if (url === undefined) return Promise.resolve();
      asked ??= refusePooledUrl(url, 'audit').catch((error: unknown) => {
        if (error instanceof TransactionPooledError) pooled = error.message;
        else asked = null;
        throw error;
      });
      return asked;
    },
    warnings: () => (pooled === null ? [] : [pooled]),
  };
}
