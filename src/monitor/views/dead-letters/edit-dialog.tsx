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
  readonly onSaved: () => void;
  readonly onRedrive: () => void;
  readonly onClose: () => void;
}

/** Another payload for the next redrive, beside the event, which never changes. */
export function EditDialog({ letterId, onSaved, onRedrive, onClose }: EditDialogProps) {
  const query = useQuery(payloadTextQuery(letterId));
  const [revision, setRevision] = useState<number | null>(null);
  const saved = (number: number) => {
    setRevision(number);
    onSaved();
  };
  return (
    <Dialog title="Edit the payload" wide onClose={onClose}>
      {revision !== null ? (
        <SavedNotice revision={revision} onRedrive={onRedrive} />
      ) : (
        <Answer query={query} what="The payload">
          {(text) => <PayloadEditor letterId={letterId} before={setOutJson(text)} onSaved={saved} />}
        </Answer>
      )}
    </Dialog>
  );
}
