import { Textarea, TextInput } from '@mantine/core';
import { type ReactNode, type SyntheticEvent, useState } from 'react';
import { LONGEST_REASON } from '../data/paths.js';
import { ActButton } from './act-button.js';
import { ActError } from './act-error.js';
import classes from './word-form.module.css';

export interface WordFormProps {
  /** What the button says: "Redrive 12". */
  readonly act: string;
  readonly danger?: boolean;
  /** So many at once: above a hundred it is asked for by its number. */
  readonly count?: number;
  /** Why it cannot be done yet; null: it can. */
  readonly why?: string | null;
  readonly onWord: (reason: string) => void;
  readonly busy: boolean;
  readonly error: Error | null;
  /** What is so where it was refused: "It is not redriven". */
  readonly refused: string;
  /** Where one sees what became of it, where there was no answer. */
  readonly look?: string;
  /** What else is asked for, above the reason. */
  readonly children?: ReactNode;
}

/** More than these at once are not done by a slip. */
const CONFIRMED_ABOVE = 100;

/** A person's word: why something is done. It stands in the record of it, beside who did it. */
export function WordForm(props: WordFormProps) {
  const { act, danger, count = 1, why = null, onWord, busy, error, refused, look, children } = props;
  const [reason, setReason] = useState('');
  const [typed, setTyped] = useState('');
  const asks = count > CONFIRMED_ABOVE;
  const missing = missingOf(reason, asks && typed.trim() !== String(count) ? count : null);
  const submit = (event: SyntheticEvent) => {
    event.preventDefault();
    if (why === null && missing === null && !busy) onWord(reason.trim());
  };
  return (
    <form className={classes.form} onSubmit={submit}>
      {children}
      <Textarea
        label="Reason"
        description={`Recorded with your name, for whoever asks later; at most ${LONGEST_REASON} characters`}
        rows={2}
        maxLength={LONGEST_REASON}
        required
        value={reason}
        onChange={(event) => setReason(event.currentTarget.value)}
      />
      {asks && (
        <TextInput
          label={`Type ${count} to confirm`}
          inputMode="numeric"
          autoComplete="off"
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
        />
      )}
      {error !== null && <ActError error={error} refused={refused} look={look} />}
      <div className={classes.acts}>
        {/* Sends the form, so that the browser holds it back while a field is half filled, such as a time. */}
        <ActButton primary danger={danger === true} busy={busy} why={why ?? missing}>
          {act}
        </ActButton>
      </div>
    </form>
  );
}

function missingOf(reason: string, count: number | null): string | null {
  if (reason.trim() === '') return 'Write a reason first';
  return count === null ? null : `Type ${count} to confirm`;
}
