import { useMutation } from '@tanstack/react-query';
import { DESTINATIONS_PATH } from '../../data/paths.js';
import { below } from '../../data/queries.js';
import { postJson } from '../../data/request.js';
import type { Pause } from '../../logic/pause-scope.js';
import { announce } from '../../parts/announcer.js';
import { Dialog } from '../../parts/dialog.js';
import { Hostile } from '../../parts/hostile.js';
import { WordForm } from '../../parts/word-form.js';
import { PauseForm } from './pause-form.js';
import { ALL, LOOK } from './pause-words.js';

/** `destination`: null: all of them. */
export type PauseAsked =
  | { readonly kind: 'pause'; readonly destination: string | null }
  | { readonly kind: 'resume'; readonly pause: Pause };

/** Holds what is not sent yet, or lets it go again. What changed comes by the stream. */
export function PauseDialog({ asked, onClose }: { readonly asked: PauseAsked; readonly onClose: () => void }) {
  return asked.kind === 'pause' ? (
    <PauseForm destination={asked.destination} onClose={onClose} />
  ) : (
    <ResumeForm pause={asked.pause} onClose={onClose} />
  );
}

function ResumeForm({ pause, onClose }: { readonly pause: Pause; readonly onClose: () => void }) {
  const { id, destination, eventType, tenantId } = pause;
  const act = useMutation({
    mutationFn: (reason: string) =>
      postJson<unknown>(below(DESTINATIONS_PATH, destination ?? ALL, 'resume'), {
        reason,
        // Of this one: what somebody has put in its place goes on.
        id,
        ...(eventType === null ? {} : { eventType }),
        ...(tenantId === null ? {} : { tenantId }),
      }),
    onSuccess: () => {
      announce('Resumed');
      onClose();
    },
  });
  return (
    <Dialog title="Resume" onClose={onClose}>
      <p>
        Paused by <Hostile text={pause.actor} />: <Hostile text={pause.reason} />
      </p>
      <WordForm
        act="Resume"
        busy={act.isPending}
        error={act.error}
        refused="It is not resumed by this"
        look={LOOK}
        onWord={act.mutate}
      />
    </Dialog>
  );
}
