import { ActButton } from '../../parts/act-button.js';
import { Notice } from '../../parts/notice.js';

export interface SavedNoticeProps {
  readonly revision: number;
  readonly onRedrive: () => void;
}

/** An edit alone sends nothing. */
export function SavedNotice({ revision, onRedrive }: SavedNoticeProps) {
  return (
    <Notice tone="good" urgent>
      <p>Saved as revision {revision}. It is sent with the letter's redrive, not before.</p>
      <div>
        <ActButton primary onClick={onRedrive}>
          Redrive now
        </ActButton>
      </div>
    </Notice>
  );
}
