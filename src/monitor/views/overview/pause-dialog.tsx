import { TextInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import type { OverviewValue } from '../../../contract/overview-api.js';
import { DESTINATIONS_PATH } from '../../data/paths.js';
import { below } from '../../data/queries.js';
import { postJson } from '../../data/request.js';
import { fromLocalInput } from '../../logic/format.js';
import { announce } from '../../parts/announcer.js';
import { Dialog } from '../../parts/dialog.js';
import { Hostile } from '../../parts/hostile.js';
import { TenantField } from '../../parts/tenant-field.js';
import { WordForm } from '../../parts/word-form.js';

type Pause = OverviewValue<'destinations'>['pauses'][number];

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

const LOOK = 'look at the pauses in force before you try again';

/** In the path all destinations are a star. */
const ALL = '*';

function PauseForm({ destination, onClose }: { readonly destination: string | null; readonly onClose: () => void }) {
  const [eventType, setEventType] = useState('');
  const [tenantId, setTenantId] = useState<string | undefined>(undefined);
  const [until, setUntil] = useState('');
  const act = useMutation({
    mutationFn: (reason: string) =>
      postJson<unknown>(below(DESTINATIONS_PATH, destination ?? ALL, 'pause'), {
        reason,
        ...given('eventType', eventType.trim()),
        // The empty text is a scope, too, events without a tenant: blanks that were typed are not made one.
        ...(tenantId === undefined ? {} : { tenantId: tenantId.trim() || tenantId }),
        ...given('until', fromLocalInput(until) ?? ''),
      }),
    onSuccess: () => {
      announce('Paused');
      onClose();
    },
  });
  return (
    <Dialog title="Pause" onClose={onClose}>
      <p>
        Holds events for {destination === null ? 'every destination' : <Hostile text={destination} />} that are not sent
        yet. Nothing is lost, and no attempt is spent.
      </p>
      <WordForm
        act="Pause"
        busy={act.isPending}
        error={act.error}
        refused="It is not paused"
        look={LOOK}
        onWord={act.mutate}
      >
        <TextInput
          label="Only of the event type"
          autoComplete="off"
          value={eventType}
          onChange={(event) => setEventType(event.currentTarget.value)}
        />
        <TenantField label="Only of the tenant" value={tenantId} onChange={setTenantId} />
        <TextInput
          type="datetime-local"
          step={1}
          label="Until"
          description="Left empty: until somebody resumes it"
          value={until}
          onChange={(event) => setUntil(event.currentTarget.value)}
        />
      </WordForm>
    </Dialog>
  );
}

function ResumeForm({ pause, onClose }: { readonly pause: Pause; readonly onClose: () => void }) {
  const { destination, eventType, tenantId } = pause;
  const act = useMutation({
    mutationFn: (reason: string) =>
      postJson<unknown>(below(DESTINATIONS_PATH, destination ?? ALL, 'resume'), {
        reason,
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
        refused="It is not resumed"
        look={LOOK}
        onWord={act.mutate}
      />
    </Dialog>
  );
}

function given(name: string, value: string): Readonly<Record<string, string>> {
  return value === '' ? {} : { [name]: value };
}
