/** What a start or a command needs is away at the moment; the same may succeed later. A role waits; exit code 69. */
export class UnavailableError extends Error {
  override readonly name = 'UnavailableError';
}
