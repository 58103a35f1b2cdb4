import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { useLocation } from 'wouter';
import { DEAD_LETTERS_PATH } from '../../data/paths.js';
import { below } from '../../data/queries.js';
import { postJson } from '../../data/request.js';
import type { Letter } from '../../data/types.js';
import { announce } from '../../parts/announcer.js';
import { Dialog } from '../../parts/dialog.js';
import { Hostile } from '../../parts/hostile.js';
import { WordForm } from '../../parts/word-form.js';
import { MeanwhileNotice } from './meanwhile-notice.js';
import { DISCARD_MEANS, REDRIVE_MEANS, type SeveralVerb } from './several-dialog.js';

export interface OneDialogProps {
  readonly verb: SeveralVerb;
  readonly letter: Letter;
  /** How often its payload was edited, as far as the page knows. */
  readonly revisions: number;
  /** It may not be as it was, whatever the answer: somebody may have been quicker, or the answer was lost. */
  readonly onSettled: () => void;
  readonly onClose: () => void;
}

const EDITED_MEANS: Readonly<Record<SeveralVerb, string>> = {
  redrive: 'What is asked for here is not done any more: close this, and look at what would be sent now.',
  discard: 'Whoever did that may want it redriven.',
};

/** Redrives or discards one letter. A redriven one is watched on its way. */
export function OneDialog({ verb, letter, revisions, onSettled, onClose }: OneDialogProps) {
  const [, navigate] = useLocation();
  const redrives = verb === 'redrive';
  // As somebody saw it when they asked: what others edit meanwhile is not sent by this.
  const [seen] = useState(revisions);
  const act = useMutation({
    mutationFn: (reason: string) =>
      postJson<unknown>(below(DEAD_LETTERS_PATH, letter.id, verb), redrives ? { reason, revisions: seen } : { reason }),
    onSuccess: () => {
      announce(redrives ? 'Redriven' : 'Discarded');
      onClose();
      if (redrives) navigate(`/events/${letter.eventId}`);
    },
    onSettled,
  });
  return (
    <Dialog title={redrives ? 'Redrive this letter' : 'Discard this letter'} onClose={onClose}>
      <MeanwhileNotice letter={letter} seen={seen} means={EDITED_MEANS[verb]} />
      <WordForm
        act={redrives ? 'Redrive' : 'Discard'}
        danger={!redrives}
        busy={act.isPending}
        error={act.error}
        refused={redrives ? 'It is not redriven by this' : 'It is not discarded by this'}
        onWord={act.mutate}
      >
        {redrives && <Sent revisions={seen} by={letter.revisions[seen - 1]?.actor ?? null} />}
        <p>{redrives ? REDRIVE_MEANS : DISCARD_MEANS}</p>
      </WordForm>
    </Dialog>
  );
}

/** Which payload goes out. */
function Sent({ revisions, by }: { readonly revisions: number; readonly by: string | null }) {
  if (revisions === 0) return <p>With the payload that was recorded.</p>;
  return (
    <p>
      With the edited payload, revision {revisions}
      {by !== null && (
        <>
          , by <Hostile text={by} />
        </>
      )}
      .
    </p>
  );
}
