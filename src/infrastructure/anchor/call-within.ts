import { AnchorUnavailableError } from '../../application/audit/log/ports.js';

/**
 * Calls of one anchor, each with a deadline. A file on a disk that has gone away may hang for ever and cannot be taken back:
 * until it ends after all, every other call is refused at once, so that what hangs is one call and not one more each minute.
 * Whatever a call throws, and its deadline, is thrown as AnchorUnavailableError.
 */
export function callsWithin(name: string, deadlineMs: number): <T>(work: () => Promise<T>) => Promise<T> {
  let hanging = false;
  return async (work) => {
    if (hanging) throw new AnchorUnavailableError(name, new Error('a call before has not ended yet'));
    let timer: NodeJS.Timeout | undefined;
    try {
      const working = work();
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => {
          hanging = true;
          const ended = () => {
            hanging = false;
          };
          working.then(ended, ended); // its result is nobody's any more: whoever asked was told that it is away
          reject(new Error(`expected an answer within ${deadlineMs / 1_000} s`));
        }, deadlineMs);
      });
      return await Promise.race([working, late]);
    } catch (error) {
      throw new AnchorUnavailableError(name, error);
    } finally {
      clearTimeout(timer);
    }
  };
}
