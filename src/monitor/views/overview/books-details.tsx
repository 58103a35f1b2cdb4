import { useQuery } from '@tanstack/react-query';
import { Link } from 'wouter';
import { booksQuery } from '../../data/queries.js';
import type { BookPage } from '../../data/types.js';
import { formatCount } from '../../logic/format.js';
import { Answer } from '../../parts/answer.js';
import { Hostile } from '../../parts/hostile.js';
import { Time } from '../../parts/time.js';
import classes from './books-details.module.css';

type Hour = BookPage['items'][number];

const GAP_WORDS: Readonly<Record<Hour['gaps'][number]['gap'], string>> = {
  no_delivery: 'without a delivery',
  dead_without_letter: 'dead, without a letter',
  letter_without_dead: 'a letter, and not dead',
  not_in_audit_log: 'delivered, and not in the audit log',
  past_deadline: 'open past its deadline',
};

/** Which events do not stand where they should. */
export function BooksDetails() {
  const query = useQuery(booksQuery({ gaps: true, limit: 24 }));
  return (
    <Answer query={query} what="The books">
      {({ items, next }) => (
        <>
          {items.length === 0 && <p className="dim">None</p>}
          <ul className={classes.hours}>
            {items.map((hour) => (
              <HourGaps key={hour.hour} hour={hour} />
            ))}
          </ul>
          {next !== null && <p className="dim">There are more: outbox books --gaps</p>}
        </>
      )}
    </Answer>
  );
}

function HourGaps({ hour: { hour, gapCount, gaps, waitsFor } }: { readonly hour: Hour }) {
  return (
    <li>
      <p>
        <Time at={hour} />: {formatCount(gapCount)}
      </p>
      {waitsFor !== null && (
        <p className="dim">
          The look waits: <Hostile text={waitsFor} />
        </p>
      )}
      <ul>
        {gaps.map(({ gap, eventId }) => (
          <li key={`${gap} ${eventId}`}>
            <Link href={`/events/${eventId}`}>{eventId}</Link> <span className="dim">{GAP_WORDS[gap]}</span>
          </li>
        ))}
      </ul>
      {gapCount > gaps.length && <p className="dim">and {formatCount(gapCount - gaps.length)} more</p>}
    </li>
  );
}
