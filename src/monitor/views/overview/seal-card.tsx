import { Link } from 'wouter';
import { usePart } from '../../data/stream.js';
import { formatCount, formatDuration } from '../../logic/format.js';
import { verificationWord } from '../../logic/words.js';
import { Card } from '../../parts/card.js';
import { Fact, Facts } from '../../parts/facts.js';
import { Notice } from '../../parts/notice.js';
import { PartNote } from '../../parts/part-note.js';
import { Sentence } from '../../parts/sentence.js';
import { Status } from '../../parts/status.js';
import { Age } from '../../parts/time.js';

/** How far the audit log is sealed and signed, and what its last verification found. */
export function SealCard() {
  const part = usePart('seal');
  const seal = part?.value ?? null;
  return (
    <Card title="The audit log" anchor="seal" aside={<Link href="/audit/log">Verify</Link>}>
      <PartNote part={part} />
      {seal !== null && (
        <>
          <Facts>
            <Fact name="Sealed">{formatCount(seal.size)} records</Fact>
            <Fact name="Not sealed yet">
              {formatCount(seal.unsealed, seal.countedUpTo)}
              {seal.oldestSeconds !== null && `, the oldest for ${formatDuration(seal.oldestSeconds * 1_000)}`}
            </Fact>
            <Fact name="Checkpoint">
              {seal.checkpoint === null
                ? 'none yet'
                : `of ${formatCount(seal.checkpoint.size)}, ${formatDuration(seal.checkpoint.ageSeconds * 1_000)} old`}
            </Fact>
            <VerificationFact />
          </Facts>
          {seal.trouble.map((sentence) => (
            <Notice key={sentence} tone="warn">
              <p>
                <Sentence text={sentence} />
              </p>
            </Notice>
          ))}
          {seal.notes.map((sentence) => (
            <p key={sentence} className="dim">
              <Sentence text={sentence} />
            </p>
          ))}
        </>
      )}
    </Card>
  );
}

function VerificationFact() {
  const part = usePart('verification');
  if (part === null) return <Fact name="Verified">Not told yet</Fact>;
  if (part.state === 'away') {
    return (
      <Fact name="Verified">
        <PartNote part={part} />
      </Fact>
    );
  }
  const last = part.value;
  return (
    <Fact name="Verified">
      {last === null ? 'never' : <Status of={verificationWord(last)} />}{' '}
      {last !== null && last.endedAt !== null && <Age at={last.endedAt} />}
      <PartNote part={part} />
    </Fact>
  );
}
