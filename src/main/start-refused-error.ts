/** A role must not start; the message says why and how to mend it. Exit code 78. */
export class StartRefusedError extends Error {
  override readonly name = 'StartRefusedError';
}
