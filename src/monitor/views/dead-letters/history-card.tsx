import { Link } from 'wouter';
import { useSession } from '../../data/session-store.js';
import type { Letter } from '../../data/types.js';
import { whyNotAll } from '../../logic/records-of.js';
import { writeParams } from '../../logic/search-params.js';
import { isCut, MOST_TOLD } from '../../logic/timeline.js';
import { Card } from '../../parts/card.js';
import { CodeName } from '../../parts/code-name.js';
import { Hostile } from '../../parts/hostile.js';
import { Time } from '../../parts/time.js';
import classes from './history-card.module.css';

/** Who did what, and the letters of the same event before this one. */
export function HistoryCard({ letter }: { readonly letter: Letter }) {
  const session = useSession();
  const { id, state, stateAt, actor, reason, revisions, previous, createdAt, code } = letter;
  // With its tenant, by whose index a target is found; but nobody is sent to where they may not look.
  const tenantId = whyNotAll(session) === null ? (letter.tenantId ?? '') : undefined;
  const records = writeParams({ action: 'outbox.dead_letter', targetId: id, tenantId });
  return (
    <Card
      title="Who did what"
      aside={session.may.readRecords && <Link href={`/audit${records}`}>In the audit log</Link>}
    >
      {isCut(previous) && <p className="dim">Of earlier letters only the latest {MOST_TOLD} are shown.</p>}
      <ul className={classes.history}>
        {previous.toReversed().map((before) => (
          <li key={before.id}>
            <Time at={before.createdAt} />: an earlier{' '}
            <Link href={`/dead-letters/${before.id}`}>letter of the same event</Link>, {before.state},{' '}
            <CodeName code={before.code} />
          </li>
        ))}
        <li>
          <Time at={createdAt} />: this letter was written, <CodeName code={code} />
        </li>
        {revisions.map((revision) => (
          <li key={`${revision.epoch} ${revision.createdAt}`}>
            <Time at={revision.createdAt} />: the payload was edited by <Hostile text={revision.actor} />:{' '}
            <Hostile text={revision.reason} />
          </li>
        ))}
        {state !== 'open' && (
          <li>
            <Time at={stateAt} />: {state}
            {actor !== null && (
              <>
                {' '}
                by <Hostile text={actor} />
              </>
            )}
            {reason !== null && (
              <>
                : <Hostile text={reason} />
              </>
            )}
          </li>
        )}
      </ul>
    </Card>
  );
}
