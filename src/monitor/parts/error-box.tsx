import { Button } from '@mantine/core';
import { RequestError } from '../data/request.js';
import { withLocalTimes } from '../logic/format.js';
import { Hostile } from './hostile.js';
import { Notice } from './notice.js';

export interface ErrorBoxProps {
  readonly error: Error;
  /** What was wanted: "The events could not be read". */
  readonly what: string;
  readonly again?: () => void;
}

/** Why something has no answer, and what the api's operator needs to find it in the log. */
export function ErrorBox({ error, what, again }: ErrorBoxProps) {
  const told = error instanceof RequestError ? error : null;
  return (
    <Notice tone={told?.retryable ? 'unknown' : 'bad'} urgent>
      <p>
        {what}: <Hostile text={withLocalTimes(error.message)} />
      </p>
      {told !== null && told.errors.length > 0 && (
        <ul>
          {told.errors.map(({ pointer, detail }) => (
            <li key={`${pointer} ${detail}`}>
              <Hostile text={pointer} code />: <Hostile text={detail} />
            </li>
          ))}
        </ul>
      )}
      {told !== null && (
        <p className="dim">
          <Hostile text={told.code} code />
          {told.requestId !== null && (
            <>
              , request <Hostile text={told.requestId} code />
            </>
          )}
        </p>
      )}
      {again !== undefined && (
        <div>
          <Button variant="default" onClick={again}>
            Try again
          </Button>
        </div>
      )}
    </Notice>
  );
}
