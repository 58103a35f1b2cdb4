import { RequestError } from '../data/request.js';
import { mayHaveActed } from '../logic/act-outcome.js';
import { ErrorBox } from './error-box.js';

export interface ActErrorProps {
  readonly error: Error;
  /** What is so where it was refused: "It is not redriven". */
  readonly refused: string;
  /** Where one sees what became of it. */
  readonly look?: string;
}

/** Why something was not done; where nobody can tell from the answer, that it may have been. */
export function ActError({ error, refused, look = 'look before you try again' }: ActErrorProps) {
  const uncertain = mayHaveActed(error instanceof RequestError ? error : null);
  return <ErrorBox error={error} what={uncertain ? `It may have been done: ${look}` : refused} />;
}
