import { useQuery } from '@tanstack/react-query';
import { logStatusQuery, verificationsQuery } from '../../data/queries.js';
import { formatCount, formatDuration } from '../../logic/format.js';
import { Answer } from '../../parts/answer.js';
import { Card } from '../../parts/card.js';
import { Fact, Facts } from '../../parts/facts.js';
import { Hostile } from '../../parts/hostile.js';
import { Notice } from '../../parts/notice.js';
import { Sentence } from '../../parts/sentence.js';
import { ViewTitle } from '../../parts/view-title.js';
import { AuditLinks } from './audit-links.js';
import { VerificationTable } from './verification-table.js';
import { VerifyButton } from './verify-button.js';

/** The log as a log: how far it is sealed and signed, and whether it is whole. */
export function LogView() {
  const verifications = useQuery(verificationsQuery());
  return (
    <>
      <ViewTitle title="Proofs and verification">
        <AuditLinks />
      </ViewTitle>
      <StatusCard />
      <Card title="Verifications" aside={<VerifyButton recordId={null} />}>
        <Answer query={verifications} what="The verifications">
          {({ items }) => <VerificationTable verifications={items} />}
        </Answer>
      </Card>
    </>
  );
}

function StatusCard() {
  const query = useQuery(logStatusQuery());
  return (
    <Card title="Sealing and signing">
      <Answer query={query} what="The state of the log">
        {({ size, unsealed, checkpoint, trouble, notes }) => (
          <>
            {trouble.map((sentence) => (
              <Notice key={sentence} tone="warn">
                <p>
                  <Sentence text={sentence} />
                </p>
              </Notice>
            ))}
            {notes.map((sentence) => (
              <p key={sentence} className="dim">
                <Sentence text={sentence} />
              </p>
            ))}
            <Facts>
              <Fact name="Sealed">{formatCount(size)} records</Fact>
              <Fact name="Not sealed yet">
                {formatCount(unsealed.count, unsealed.countedUpTo)}
                {unsealed.oldestSeconds !== null &&
                  `, the oldest for ${formatDuration(unsealed.oldestSeconds * 1_000)}`}
              </Fact>
              <Fact name="Newest checkpoint">
                {checkpoint === null
                  ? 'none yet'
                  : `of ${formatCount(checkpoint.size)} records, ${formatDuration(checkpoint.ageSeconds * 1_000)} old`}
              </Fact>
              {checkpoint !== null && (
                <Fact name="Anchored">
                  <Hostile text={checkpoint.anchor} />
                </Fact>
              )}
            </Facts>
          </>
        )}
      </Answer>
    </Card>
  );
}
