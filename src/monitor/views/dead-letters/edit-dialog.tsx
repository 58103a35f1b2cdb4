import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { payloadToEditQuery } from '../../data/queries.js';
import type { Letter } from '../../data/types.js';
import { setOutJson } from '../../logic/json-text.js';
import { Answer } from '../../parts/answer.js';
import { Dialog } from '../../parts/dialog.js';
import { MeanwhileNotice } from './meanwhile-notice.js';
import { PayloadEditor } from './payload-editor.js';
import { SavedNotice } from './saved-notice.js';

export interface EditDialogProps {
  /** As it is now: read again while somebody writes here. */
  readonly letter: Letter;
  /** `revision`: how often it is edited now. */
  readonly onSaved: (revision: number) => void;
  /** The letter may not be as the page has it: somebody may have been quicker, or an answer was lost. */
  readonly onFailed: () => void;
  readonly onRedrive: () => void;
  readonly onClose: () => void;
}

/** Another payload for the next redrive, beside the event, which never changes. */
export function EditDialog({ letter, onSaved, onFailed, onRedrive, onClose }: EditDialogProps) {
  const query = useQuery(payloadToEditQuery(letter.id));
  const [revision, setRevision] = useState<number | null>(null);
  const saved = (number: number) => {
    setRevision(number);
    onSaved(number);
  };
  return (
    <Dialog title="Edit the payload" wide onClose={onClose}>
      {revision !== null ? (
        <SavedNotice revision={revision} onRedrive={onRedrive} />
      ) : (
        <Answer query={query} what="The payload">
          {({ text, revisions }) => (
            <>
              <MeanwhileNotice
                letter={letter}
                seen={revisions}
                means="What is written here was made from the payload before, and cannot be saved. Copy what you want to keep of it."
                again={{ act: 'Take the payload as it is now', busy: query.isFetching, do: () => void query.refetch() }}
              />
              {/* Another payload is another text to begin with. */}
              <PayloadEditor
                key={revisions}
                letterId={letter.id}
                revisions={revisions}
                before={setOutJson(text)}
                onSaved={saved}
                onFailed={onFailed}
              />
            </>
          )}
        </Answer>
      )}
    </Dialog>
  );
}
