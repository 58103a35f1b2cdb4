import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { payloadTextQuery } from '../../data/queries.js';
import { setOutJson } from '../../logic/json-text.js';
import { Answer } from '../../parts/answer.js';
import { Dialog } from '../../parts/dialog.js';
import { PayloadEditor } from './payload-editor.js';
import { SavedNotice } from './saved-notice.js';

export interface EditDialogProps {
  readonly letterId: string;
  /** How often it was edited when this was asked for. */
  readonly revisions: number;
  /** `revision`: how often it is edited now. */
  readonly onSaved: (revision: number) => void;
  readonly onRedrive: () => void;
  readonly onClose: () => void;
}

/** Another payload for the next redrive, beside the event, which never changes. */
export function EditDialog({ letterId, revisions, onSaved, onRedrive, onClose }: EditDialogProps) {
  // Of then: the text that is read below is of that edit or a later one, and of a later one the server says so.
  const [seen] = useState(revisions);
  const query = useQuery(payloadTextQuery(letterId));
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
          {(text) => <PayloadEditor letterId={letterId} revisions={seen} before={setOutJson(text)} onSaved={saved} />}
        </Answer>
      )}
    </Dialog>
  );
}
