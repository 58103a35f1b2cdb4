import { Textarea } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { DEAD_LETTERS_PATH } from '../../data/paths.js';
import { below } from '../../data/queries.js';
import { postText, RequestError } from '../../data/request.js';
import type { Edited } from '../../data/types.js';
import { editBody, whyNoPayload } from '../../logic/json-text.js';
import { ActButton } from '../../parts/act-button.js';
import { Difference, toChanged } from '../../parts/difference.js';
import { ErrorBox } from '../../parts/error-box.js';
import { Notice } from '../../parts/notice.js';
import { WordForm } from '../../parts/word-form.js';
import classes from './payload-editor.module.css';

export interface PayloadEditorProps {
  readonly letterId: string;
  /** How often it had been edited when the text was read. */
  readonly revisions: number;
  /** As it is now, set out over lines. */
  readonly before: string;
  readonly onSaved: (revision: number) => void;
  /** It was refused, or there was no answer. */
  readonly onFailed: () => void;
}

/** A comparison keeps no reason, and is asked for one. */
const COMPARE_REASON = 'compare';

/**
 * The payload as text: nothing of it is read as numbers here, so none is rounded. It is compared and checked by the
 * server before it can be saved, and what is saved is exactly what was compared.
 */
export function PayloadEditor({ letterId, revisions, before, onSaved, onFailed }: PayloadEditorProps) {
  const [text, setText] = useState(before);
  const post = (of: string, reason: string, dryRun: boolean) =>
    postText<Edited>(below(DEAD_LETTERS_PATH, letterId, 'payload'), editBody(of, { reason, revisions, dryRun }));
  const compare = useMutation({
    mutationFn: async (of: string) => ({ of, edited: await post(of, COMPARE_REASON, true) }),
    onError: onFailed,
  });
  const save = useMutation({
    mutationFn: (reason: string) => post(text, reason, false),
    onSuccess: (edited) => onSaved(edited.outcome === 'edited' ? edited.revision : 0),
    onError: onFailed,
  });
  const why = text === before ? 'Change something first' : whyNoPayload(text);
  const compared = compare.data?.of === text ? compare.data.edited : null;
  return (
    <div className={classes.editor}>
      <Textarea
        label="Payload"
        description="JSON, whole. A number beyond 2^53 is refused here: outbox dlq edit takes it, from a file."
        rows={16}
        spellCheck={false}
        data-code=""
        error={text === before ? undefined : whyNoPayload(text)}
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
      />
      <div>
        <ActButton primary={compared === null} why={why} busy={compare.isPending} onClick={() => compare.mutate(text)}>
          Compare and check
        </ActButton>
      </div>
      {/* In the dialog, since whatever is behind it is not read out. */}
      <p aria-live="polite">{compared !== null && `They differ in ${compared.difference.length} places.`}</p>
      {compare.error !== null && compared === null && <ErrorBox error={compare.error} what={whatOf(compare.error)} />}
      {compared !== null && (
        <>
          <Difference
            caption="Where the payloads differ"
            changes={toChanged(compared.difference)}
            empty="They do not differ."
          />
          {compared.checkedBy === 'limits' && (
            <Notice tone="warn">
              <p>Held against the limits of every event only: this api has no handler for its routing key.</p>
            </Notice>
          )}
          <WordForm
            act="Save the payload"
            busy={save.isPending}
            error={save.error}
            refused="It is not saved"
            look="close this and look at who did what before you try again"
            onWord={save.mutate}
          />
        </>
      )}
    </div>
  );
}

/** Only of what the server says of the payload itself it is said that it does not fit. */
function whatOf(error: Error): string {
  const judged = error instanceof RequestError && error.status === 422;
  return judged ? 'The payload does not fit' : 'It could not be compared';
}
