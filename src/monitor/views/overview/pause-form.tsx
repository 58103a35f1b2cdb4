import { TextInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { DESTINATIONS_PATH } from '../../data/paths.js';
import { below } from '../../data/queries.js';
import { postJson } from '../../data/request.js';
import { useLink, usePart } from '../../data/stream.js';
import type { Paused } from '../../data/types.js';
import { fromLocalInput } from '../../logic/format.js';
import { type Pause, type PauseScope, pauseOf } from '../../logic/pause-scope.js';
import { announce } from '../../parts/announcer.js';
import { Dialog } from '../../parts/dialog.js';
import { Hostile } from '../../parts/hostile.js';
import { Notice } from '../../parts/notice.js';
import { TenantField } from '../../parts/tenant-field.js';
import { Time } from '../../parts/time.js';
import { WordForm } from '../../parts/word-form.js';
import { ALL, LOOK } from './pause-words.js';

export interface PauseFormProps {
  /** null: all of them. */
  readonly destination: string | null;
  readonly onClose: () => void;
}

/** Holds what is not sent yet. Of a name that nothing has, and of a pause that gives way to it, it says so. */
export function PauseForm({ destination, onClose }: PauseFormProps) {
  const [eventType, setEventType] = useState('');
  const [tenantId, setTenantId] = useState<string | undefined>(undefined);
  const [until, setUntil] = useState('');
  const [unknown, setUnknown] = useState<Paused | null>(null);
  const scope: PauseScope = {
    destination,
    eventType: eventType.trim() || null,
    // The empty text is a scope, too, events without a tenant: blanks that were typed are not made one.
    tenantId: tenantId === undefined ? null : tenantId.trim() || tenantId,
  };
  const part = usePart('destinations');
  const { stale } = useLink();
  // What may be of hours ago is nothing to compare with, and holding must not wait for it.
  const known = stale || part === null || part.state === 'away' ? null : part.value;
  const standing = known === null ? null : pauseOf(known.pauses, scope);
  const act = useMutation({
    mutationFn: (reason: string) =>
      postJson<Paused>(below(DESTINATIONS_PATH, destination ?? ALL, 'pause'), {
        reason,
        ...(scope.eventType === null ? {} : { eventType: scope.eventType }),
        ...(scope.tenantId === null ? {} : { tenantId: scope.tenantId }),
        ...(until === '' ? {} : { until: fromLocalInput(until) }),
        ...(known === null ? {} : { replaces: standing?.id ?? null }),
      }),
    onSuccess: (paused) => {
      announce('Paused');
      if (paused.known) onClose();
      else setUnknown(paused);
    },
  });
  return (
    <Dialog title="Pause" onClose={onClose}>
      {unknown !== null ? (
        <NothingHeld pause={unknown} />
      ) : (
        <>
          <p>
            Holds events for {destination === null ? 'every destination' : <Hostile text={destination} />} that are not
            sent yet. Nothing is lost, and no attempt is spent.
          </p>
          <WordForm
            act={standing === null ? 'Pause' : 'Replace the pause'}
            busy={act.isPending}
            error={act.error}
            refused="It is not paused by this"
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
            {standing !== null && <GivesWay pause={standing} />}
          </WordForm>
        </>
      )}
    </Dialog>
  );
}

/** A scope has one pause. */
function GivesWay({ pause: { actor, reason, until } }: { readonly pause: Pause }) {
  return (
    <Notice tone="warn">
      <p>
        This is paused already, by <Hostile text={actor} />: <Hostile text={reason} />,{' '}
        {until === null ? (
          'until it is resumed'
        ) : (
          <>
            until <Time at={until} />
          </>
        )}
        . Yours takes its place, with its end.
      </p>
    </Notice>
  );
}

/** A slip of the pen holds nothing, and what was meant is sent on. */
function NothingHeld({ pause: { destination, eventType } }: { readonly pause: Paused }) {
  return (
    <Notice tone="warn" urgent>
      <p>
        The pause is in force, and nothing there is has{' '}
        {destination !== null && (
          <>
            the routing key <Hostile text={destination} code />
          </>
        )}
        {destination !== null && eventType !== null && ' or '}
        {eventType !== null && (
          <>
            the event type <Hostile text={eventType} code />
          </>
        )}
        : it holds an event that may still come. If another name was meant, resume this one, and pause that.
      </p>
    </Notice>
  );
}
