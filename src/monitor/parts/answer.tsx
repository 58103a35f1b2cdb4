import { Loader } from '@mantine/core';
import type { UseQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { withLocalTimes } from '../logic/format.js';
import classes from './answer.module.css';
import { ErrorBox } from './error-box.js';
import { Hostile } from './hostile.js';
import { Notice } from './notice.js';
import { Time } from './time.js';

export interface AnswerProps<Data> {
  readonly query: UseQueryResult<Data, Error>;
  /** "The events": stands in sentences. */
  readonly what: string;
  readonly children: (data: Data) => ReactNode;
}

/**
 * What a query answered; until then that it is being read; or why there is no answer. What was read before stays in
 * sight when it cannot be read again, with the time of then; and another page of the same list until this one is there, dimmed.
 */
export function Answer<Data>({ query, what, children }: AnswerProps<Data>) {
  const { data, error, dataUpdatedAt, isPlaceholderData } = query;
  if (data === undefined) {
    if (error === null) return <Loading what={what} />;
    return <ErrorBox error={error} what={`${what} could not be read`} again={() => void query.refetch()} />;
  }
  return (
    <>
      {error !== null && (
        <Notice tone="unknown">
          <p>
            {what} could not be read again: <Hostile text={withLocalTimes(error.message)} />. This is as of{' '}
            <Time at={new Date(dataUpdatedAt).toISOString()} />.
          </p>
        </Notice>
      )}
      <div
        className={isPlaceholderData ? `${classes.answer} ${classes.before}` : classes.answer}
        aria-busy={isPlaceholderData}
      >
        {children(data)}
      </div>
      {isPlaceholderData && <Loading what={what} />}
    </>
  );
}

/** `what`: "The events". */
export function Loading({ what }: { readonly what: string }) {
  return (
    <p className="dim">
      <Loader aria-hidden="true" /> {what}: being read
    </p>
  );
}
