import { useQuery } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import { Link } from 'wouter';
import { type TemporalUi, temporalRunUrl } from '../../../domain/delivery/temporal-links.js';
import { letterQuery } from '../../data/queries.js';
import { queryClient } from '../../data/query-client.js';
import { useSession } from '../../data/session-store.js';
import { usePart } from '../../data/stream.js';
import type { Letter } from '../../data/types.js';
import { LETTER_STATE_WORDS } from '../../logic/words.js';
import { ActButton, VIEWER_WHY } from '../../parts/act-button.js';
import { Answer } from '../../parts/answer.js';
import { Card } from '../../parts/card.js';
import { CodeAdvice, CodeName } from '../../parts/code-name.js';
import { CopyButton } from '../../parts/copy-button.js';
import { Fact, Facts } from '../../parts/facts.js';
import { Hostile } from '../../parts/hostile.js';
import { PayloadCard } from '../../parts/payload-card.js';
import { RunLink } from '../../parts/run-link.js';
import { Status } from '../../parts/status.js';
import { Time } from '../../parts/time.js';
import { ViewTitle } from '../../parts/view-title.js';
import { AttemptsCard } from './attempts-card.js';
import { EditDialog } from './edit-dialog.js';
import { FailureCard } from './failure-card.js';
import { HistoryCard } from './history-card.js';
import classes from './letter-view.module.css';
import { whyClosed } from './meanwhile-notice.js';
import { OneDialog } from './one-dialog.js';

/** One dead letter: why it died, and what can be done about it. */
export function LetterView({ id }: { readonly id: string }) {
  const query = useQuery(letterQuery(id));
  const letter = query.data;
  return (
    <>
      <ViewTitle
        title={`Dead letter ${id.slice(0, 13)}…`}
        aside={letter && <Status of={LETTER_STATE_WORDS[letter.state]} />}
      >
        <p>
          <Link href="/dead-letters">All dead letters</Link>
        </p>
      </ViewTitle>
      <Answer query={query} what="The dead letter">
        {(found) => <Cards letter={found} asked={id} />}
      </Answer>
    </>
  );
}

/** `asked`: the id of the address, which may be its event's. */
function Cards({ letter, asked }: { readonly letter: Letter; readonly asked: string }) {
  return (
    <>
      <Acts letter={letter} asked={asked} />
      <Card title="Why it died">
        <p>
          <strong>
            <CodeName code={letter.code} />
          </strong>
          : <Hostile text={letter.message} />
        </p>
        <CodeAdvice code={letter.code} />
      </Card>
      <Card title="What it is">
        <LetterFacts letter={letter} />
      </Card>
      <FailureCard letter={letter} />
      <AttemptsCard attempts={letter.attempts} />
      <PayloadCard of="letter" id={letter.id} edits={letter.revisions.length} />
      <HistoryCard letter={letter} />
    </>
  );
}

type Asked = 'redrive' | 'edit' | 'discard';

function Acts({ letter, asked: address }: { readonly letter: Letter; readonly asked: string }) {
  const { may } = useSession();
  const [asked, setAsked] = useState<Asked | null>(null);
  const [saved, setSaved] = useState(0);
  // The letter may not have been read again since one's own edit was saved.
  const revisions = Math.max(letter.revisions.length, saved);
  const close = () => setAsked(null);
  const reread = () => void queryClient.invalidateQueries({ queryKey: letterQuery(address).queryKey });
  const why = may.changeDelivery ? whyClosed(letter) : VIEWER_WHY;
  return (
    <Card title="Act on it">
      <ActRow why={why}>
        <ActButton primary redrive why={why} onClick={() => setAsked('redrive')}>
          Redrive
        </ActButton>
        <ActButton why={why} onClick={() => setAsked('edit')}>
          Edit the payload
        </ActButton>
        <ActButton danger why={why} onClick={() => setAsked('discard')}>
          Discard
        </ActButton>
      </ActRow>
      {(asked === 'redrive' || asked === 'discard') && (
        <OneDialog verb={asked} letter={letter} revisions={revisions} onSettled={reread} onClose={close} />
      )}
      {asked === 'edit' && (
        <EditDialog
          letter={letter}
          onSaved={(revision) => {
            setSaved(revision);
            reread();
          }}
          onFailed={reread}
          onRedrive={() => setAsked('redrive')}
          onClose={close}
        />
      )}
    </Card>
  );
}

function ActRow({ why, children }: { readonly why: string | null; readonly children: ReactNode }) {
  return (
    <>
      <div className={classes.acts}>{children}</div>
      {why !== null && <p className="dim">{why}.</p>}
    </>
  );
}

const EFFECT_WORDS: Readonly<Record<Letter['effect'], string>> = {
  none: 'Nothing took effect',
  unknown: 'Not known: it may have taken effect',
  stands: 'It has taken effect, although the delivery failed',
};

/** Where runs are opened. The namespace is what relay and worker tell, which may have come after the sign-in. */
function useTemporalUi(): TemporalUi | null {
  const { temporalUi, namespace } = useSession().links;
  const processes = usePart('processes')?.value ?? [];
  const told = processes.find((process) => process.namespace !== null)?.namespace ?? namespace;
  return temporalUi !== null && told !== null ? { url: temporalUi, namespace: told } : null;
}

function LetterFacts({ letter }: { readonly letter: Letter }) {
  const { event, delivery, workflowId, runId } = letter;
  const ui = useTemporalUi();
  return (
    <Facts>
      <Fact name="Id">
        <Hostile text={letter.id} code /> <CopyButton text={letter.id} what="the letter's id" />
      </Fact>
      <Fact name="Event">
        <Link href={`/events/${letter.eventId}`}>
          <Hostile text={event?.eventName ?? letter.eventId} />
        </Link>
        {event === null && <span className="dim"> (the event is gone)</span>}
      </Fact>
      <Fact name="Type">
        <Hostile text={letter.eventType} />
      </Fact>
      <Fact name="Routing key">
        <Hostile text={letter.destination} />
      </Fact>
      <Fact name="Tenant">
        <Hostile text={letter.tenantId} />
      </Fact>
      {event !== null && (
        <Fact name="Aggregate">
          <Hostile text={`${event.aggregate.type} ${event.aggregate.id}`} />
        </Fact>
      )}
      <Fact name="Outside effect">{EFFECT_WORDS[letter.effect]}</Fact>
      <Fact name="Attempts">
        {letter.retryCount} of {letter.maxRetries} that count
      </Fact>
      <Fact name="First failure">
        <Time at={letter.firstFailedAt} />
      </Fact>
      <Fact name="Last failure">
        <Time at={letter.lastFailedAt} />
      </Fact>
      <Fact name="Written">
        <Time at={letter.createdAt} />
      </Fact>
      {delivery !== null && (
        <Fact name="Its event now">
          <Hostile text={delivery.status} />, epoch {delivery.epoch}
        </Fact>
      )}
      {workflowId !== null && (
        <Fact name="Run">
          <RunLink workflowId={workflowId} url={ui === null ? null : temporalRunUrl(ui, { workflowId, runId })} />
        </Fact>
      )}
      <Fact name="Policy">
        <Hostile text={letter.policyHash} code />
      </Fact>
      <Fact name="Trace">
        <Hostile text={letter.traceparent} code />
      </Fact>
    </Facts>
  );
}
