import { useQuery } from '@tanstack/react-query';
import { Link } from 'wouter';
import type { EventDetail } from '../../../contract/events-api.js';
import { eventQuery } from '../../data/queries.js';
import { useSession } from '../../data/session-store.js';
import { useLink, usePart, useServerNow } from '../../data/stream.js';
import { whyNoRecord } from '../../logic/records-of.js';
import { writeParams } from '../../logic/search-params.js';
import { timelineOf } from '../../logic/timeline.js';
import { eventWord, isOpen } from '../../logic/words.js';
import { useChangeSaid } from '../../parts/announcer.js';
import { Answer } from '../../parts/answer.js';
import { Card } from '../../parts/card.js';
import { CopyButton } from '../../parts/copy-button.js';
import { Fact, Facts } from '../../parts/facts.js';
import { Hostile } from '../../parts/hostile.js';
import { PayloadCard } from '../../parts/payload-card.js';
import { Status } from '../../parts/status.js';
import { Time } from '../../parts/time.js';
import { ViewTitle } from '../../parts/view-title.js';
import { ReceiptCard } from './receipt-card.js';
import { Timeline } from './timeline.js';

/** One event and its way, watched while it is on it. */
export function EventView({ id }: { readonly id: string }) {
  const query = useQuery(eventQuery(id));
  return (
    <>
      <ViewTitle title={`Event ${id.slice(0, 13)}…`} aside={query.data && <Status of={eventWord(query.data.state)} />}>
        <p>
          <Link href="/events">All events</Link>
        </p>
      </ViewTitle>
      <Answer query={query} what="The event">
        {(event) => <EventCards event={event} />}
      </Answer>
    </>
  );
}

function EventCards({ event }: { readonly event: EventDetail }) {
  const session = useSession();
  const destinations = usePart('destinations');
  const processes = usePart('processes');
  const { stale } = useLink();
  const now = useServerNow();
  const around = stale
    ? { destinations: null, processes: null, now }
    : { destinations: known(destinations), processes: known(processes), now };
  const { delivery } = event;
  useChangeSaid(event.state ?? 'none', `The event: ${eventWord(event.state).word}`);
  const letter = event.letters.findLast(({ state }) => state === 'open');
  return (
    <>
      <Card title="What it is" aside={letter && <Link href={`/dead-letters/${letter.id}`}>Its dead letter</Link>}>
        <EventFacts event={event} />
      </Card>
      <Card
        title="Its way"
        aside={isOpen(event.state) && <span className="dim">looked at every second while it is under way</span>}
      >
        <Timeline steps={timelineOf(event, around)} policyHash={delivery?.policyHash ?? null} />
      </Card>
      {delivery !== null && delivery.receipt !== null && (
        <ReceiptCard
          receipt={delivery.receipt}
          inAuditLog={event.destination === 'audit.log'}
          whyNoRecord={whyNoRecord(session, event.tenantId)}
        />
      )}
      <PayloadCard of="event" id={event.id} edits={event.revisions.length} />
    </>
  );
}

/** What a part was when it answered last is not what holds an event now; nor is what a stream said that has fallen silent. */
function known<Value>(part: { readonly state: string; readonly value: Value | null } | null): Value | null {
  return part === null || part.state === 'away' ? null : part.value;
}

function EventFacts({ event }: { readonly event: EventDetail }) {
  const { aggregate, delivery } = event;
  return (
    <Facts>
      <Fact name="Id">
        <Hostile text={event.id} code /> <CopyButton text={event.id} what="the event's id" />
      </Fact>
      <Fact name="Name">
        <Hostile text={event.eventName} />
      </Fact>
      <Fact name="Type">
        <Hostile text={event.eventType} />
      </Fact>
      <Fact name="Routing key">
        <Hostile text={event.destination} />
      </Fact>
      <Fact name="Aggregate">
        <Link href={`/events${writeParams({ aggregateType: aggregate.type, aggregateId: aggregate.id })}`}>
          <Hostile text={`${aggregate.type} ${aggregate.id}`} />
        </Link>
        {aggregate.version !== null && `, version ${aggregate.version}`}
      </Fact>
      <Fact name="Tenant">
        <Hostile text={event.tenantId} />
      </Fact>
      <Fact name="Source">
        <Hostile text={event.source} />
      </Fact>
      <Fact name="Occurred">
        <Time at={event.occurredAt} />
      </Fact>
      <Fact name="Recorded">
        <Time at={event.recordedAt} />
      </Fact>
      <Fact name="Content hash">
        <Hostile text={event.contentHash} code />
      </Fact>
      <Fact name="Trace">
        <Hostile text={event.traceparent} code />
      </Fact>
      {delivery !== null && delivery.startTries > 0 && (
        <Fact name="Failed starts">{delivery.startTries}, counted while others could be started</Fact>
      )}
      {delivery !== null && delivery.carrier !== null && (
        <Fact name="Carried by">
          <Hostile text={delivery.carrier} code />
        </Fact>
      )}
    </Facts>
  );
}
