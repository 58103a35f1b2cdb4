import { lazy, Suspense, useState } from 'react';
import type { OverviewValue } from '../../../contract/overview-api.js';
import { usePart } from '../../data/stream.js';
import { formatCount } from '../../logic/format.js';
import type { Word } from '../../logic/words.js';
import { Loading } from '../../parts/answer.js';
import { Card } from '../../parts/card.js';
import { Fact, Facts } from '../../parts/facts.js';
import { Hostile } from '../../parts/hostile.js';
import { PartNote } from '../../parts/part-note.js';
import { Status } from '../../parts/status.js';
import { Age, Time } from '../../parts/time.js';

const BooksDetails = lazy(async () => ({ default: (await import('./books-details.js')).BooksDetails }));

/** Whether every event that was appended is where it should be. */
export function BooksCard() {
  const part = usePart('books');
  const [open, setOpen] = useState(false);
  const books = part?.value ?? null;
  return (
    <Card title="The books" anchor="books" aside={<Status of={wordOf(part?.state === 'away' ? null : books)} />}>
      <PartNote part={part} />
      {books !== null && (
        <>
          <Facts>
            <Fact name="Hours looked at">{formatCount(books.hours)}</Fact>
            <Fact name="Do not balance">{formatCount(books.withGaps)}</Fact>
            {books.oldestGap !== null && (
              <Fact name="The oldest">
                <Time at={books.oldestGap} />
              </Fact>
            )}
            <Fact name="Last look">
              {books.checkedAt === null ? 'none has ended yet' : <Age at={books.checkedAt} />}
            </Fact>
            {books.lateSince !== null && (
              <Fact name="A look is due since">
                <Time at={books.lateSince} />
              </Fact>
            )}
            {books.waitsFor !== null && (
              <Fact name="A look waits for">
                <Hostile text={books.waitsFor} />
              </Fact>
            )}
          </Facts>
          <details onToggle={(event) => setOpen(event.currentTarget.open)}>
            <summary>Hours that do not balance</summary>
            {open && (
              <Suspense fallback={<Loading what="The books" />}>
                <BooksDetails />
              </Suspense>
            )}
          </details>
        </>
      )}
    </Card>
  );
}

function wordOf(books: OverviewValue<'books'> | null): Word {
  if (books === null) return { word: 'Not known', tone: 'unknown', shape: 'question' };
  if (books.withGaps > 0) return { word: 'Do not balance', tone: 'bad', shape: 'cross' };
  if (books.lateSince !== null) return { word: 'Not looked at', tone: 'warn', shape: 'warning' };
  if (books.hours === 0) return { word: 'Not known', tone: 'unknown', shape: 'question' };
  return { word: 'Balanced', tone: 'good', shape: 'check' };
}
