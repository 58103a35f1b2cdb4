import { StoreUnavailableError } from '../../src/application/audit/ports.js';
import { isIntegrationError } from '../../src/domain/delivery/integration-error.js';

/**
 * What may be asked twice, asked three times at most while the database does not answer: its deadline is a moment, in which a
 * busy machine may not come to it although nothing is wrong. What is really away is told as such all the same.
 */
export function askAgain<Given extends unknown[], T>(
  ask: (...given: Given) => Promise<T>,
): (...given: Given) => Promise<T> {
  return async (...given) => {
    for (let times = 1; ; times++) {
      try {
        return await ask(...given);
      } catch (error) {
        if (times === 3 || !isUnavailable(error)) throw error;
      }
    }
  };
}

function isUnavailable(error: unknown): boolean {
  return error instanceof StoreUnavailableError || (isIntegrationError(error) && error.code === 'STORE.UNAVAILABLE');
}
