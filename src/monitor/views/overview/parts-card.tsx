import { useSession } from '../../data/session-store.js';
import { type PartOf, usePart } from '../../data/stream.js';
import { formatDuration } from '../../logic/format.js';
import { safeHref } from '../../logic/hostile.js';
import { type SeenFrom, type SeenProcess, sumUpSeen } from '../../logic/seen-parts.js';
import { Card } from '../../parts/card.js';
import { Hostile } from '../../parts/hostile.js';
import { Icon } from '../../parts/icon.js';
import { PartNote, PartState } from '../../parts/part-note.js';
import { Status } from '../../parts/status.js';
import { Age } from '../../parts/time.js';
import classes from './parts-card.module.css';

/** What the delivery and the audit log stand on. */
export function PartsCard() {
  const { links } = useSession();
  return (
    <Card title="What it stands on" anchor="parts">
      <ul className={classes.parts}>
        <Database name="outboxDatabase" label="Outbox database" />
        <Database name="auditDatabase" label="Audit database" />
        <Seen label="Temporal" href={safeHref(links.temporalUi)} pick={({ temporal }) => temporal} />
        <Seen label="Audit API" href={null} pick={({ auditApi }) => auditApi} />
      </ul>
    </Card>
  );
}

interface DatabaseProps {
  readonly name: 'outboxDatabase' | 'auditDatabase';
  readonly label: string;
}

function Database({ name, label }: DatabaseProps) {
  const part = usePart(name);
  return (
    <li className={classes.part}>
      <div className={classes.line}>
        <span>{label}</span>
        <PartState part={part} />
      </div>
      {part?.state === 'ok' && part.value !== null && (
        <p className="dim">answered in {formatDuration(part.value.tookMs)}</p>
      )}
      <PartNote part={part} />
    </li>
  );
}

interface SeenProps {
  readonly label: string;
  readonly href: string | null;
  readonly pick: (process: SeenProcess) => SeenProcess['temporal'];
}

/** The api does not ask these itself: relays and workers do, and tell of it. */
function Seen({ label, href, pick }: SeenProps) {
  const part = usePart('processes');
  const seen = sumUpSeen(part?.value ?? [], pick);
  return (
    <li className={classes.part}>
      <div className={classes.line}>
        {href === null ? (
          <span>{label}</span>
        ) : (
          <a href={href} target="_blank" rel="noreferrer">
            {label} <Icon name="outside" />
          </a>
        )}
        <SeenState part={part} seen={seen} />
      </div>
      <SeenReason part={part} seen={seen} />
    </li>
  );
}

interface SeenOf {
  readonly part: PartOf<'processes'> | null;
  readonly seen: SeenFrom;
}

function SeenState({ part, seen }: SeenOf) {
  const known = part !== null && part.state !== 'away';
  return <Status of={known ? seen.word : { word: 'Not known', tone: 'unknown', shape: 'question' }} />;
}

function SeenReason({ part, seen }: SeenOf) {
  if (part === null) return <p className="dim">Not told yet</p>;
  if (part.state === 'away') {
    return (
      <p className="dim">
        Relays and workers tell of it in the outbox database, which is away. Last told: {seen.word.word.toLowerCase()},{' '}
        <Age at={part.at} />
      </p>
    );
  }
  return (
    <p className="dim">
      {seen.asked > 0 && `${seen.well} of ${seen.asked} processes reach it. `}
      {seen.reason !== null && <Hostile text={seen.reason} />}
    </p>
  );
}
