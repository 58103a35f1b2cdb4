/** The command line does not fit; the message says what was expected. Exit code 64. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  /** What to ask for help: `outbox keys create`. */
  readonly command: string | undefined;

  constructor(message: string, options: { readonly command?: string } = {}) {
    super(message);
    this.command = options.command;
  }
}
