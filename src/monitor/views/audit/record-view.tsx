import { useQuery } from '@tanstack/react-query';
import type { RecordView as AuditRecord } from '../../../contract/audit-records-api.js';
import { recordQuery } from '../../data/queries.js';
import { actorOf, changesOf, isErased, restOf, targetsOf, textOf } from '../../logic/audit-record.js';
import { Answer } from '../../parts/answer.js';
import { Card } from '../../parts/card.js';
import { CopyButton } from '../../parts/copy-button.js';
import { Difference } from '../../parts/difference.js';
import { Fact, Facts } from '../../parts/facts.js';
import { Hostile } from '../../parts/hostile.js';
import { JsonBlock } from '../../parts/json-block.js';
import { Notice } from '../../parts/notice.js';
import { Time } from '../../parts/time.js';
import { ViewTitle } from '../../parts/view-title.js';
import { AuditLinks } from './audit-links.js';
import { ProofCard } from './proof-card.js';
import { TenantNotice } from './tenant-notice.js';

/** One record: what happened, what changed, and its place in the log. */
export function RecordView({ id }: { readonly id: string }) {
  const query = useQuery(recordQuery(id));
  return (
    <>
      <ViewTitle title={`Record ${id.slice(0, 13)}…`}>
        <AuditLinks />
      </ViewTitle>
      <TenantNotice />
      <Answer query={query} what="The record">
        {(record) => (
          <>
            {isErased(record) ? (
              <Notice tone="info">
                <p>Its content was erased; its place in the log stands, and can be proven.</p>
              </Notice>
            ) : (
              <Content record={record} />
            )}
            <Card title="In the log">
              <Facts>
                <Fact name="Record">
                  <Hostile text={record.recordId} code /> <CopyButton text={record.recordId} what="the record's id" />
                </Fact>
                <Fact name="Recorded">
                  <Time at={record.recordedAt} />
                </Fact>
                <Fact name="Hash of its leaf">
                  <Hostile text={record.hash} code />
                </Fact>
              </Facts>
            </Card>
            <ProofCard recordId={record.recordId} />
          </>
        )}
      </Answer>
    </>
  );
}

function Content({ record }: { readonly record: Exclude<AuditRecord, { erased: true }> }) {
  const changes = changesOf(record);
  return (
    <>
      <Card title="What happened">
        <EventFacts record={record} />
      </Card>
      {changes.length > 0 && (
        <Card title="What changed">
          <Difference
            caption="Old and new, field by field"
            empty="Nothing"
            changes={changes.map(({ field, old, new: after, redacted }) => ({
              pointer: field,
              before: old,
              after,
              redacted,
            }))}
          />
        </Card>
      )}
      <Card title="All else of it">
        <JsonBlock what="the rest of the record" text={JSON.stringify(Object.fromEntries(restOf(record)), null, 2)} />
      </Card>
    </>
  );
}

const TEXTS = [
  ['Action', 'action'],
  ['Version', 'actionVersion'],
  ['Outcome', 'outcome'],
  ['Why', 'outcomeReason'],
  ['Category', 'category'],
  ['Operation', 'operation'],
  ['Severity', 'severity'],
  ['Source', 'source'],
  ['Event id', 'eventId'],
] as const;

function EventFacts({ record }: { readonly record: Exclude<AuditRecord, { erased: true }> }) {
  const targets = targetsOf(record);
  return (
    <Facts>
      {TEXTS.map(([label, name]) => (
        <Fact key={name} name={label}>
          <Hostile text={textOf(record, name)} />
        </Fact>
      ))}
      <Fact name="Actor">
        <Hostile text={actorOf(record)} />
      </Fact>
      <Fact name="Targets">
        <Hostile text={targets.length === 0 ? null : targets.join('\n')} />
      </Fact>
      <Fact name="Tenant">
        <Hostile text={record.tenantId} />
      </Fact>
      <Fact name="Occurred">
        <Time at={textOf(record, 'occurredAt')} />
      </Fact>
      <Fact name="Came by">{record.via === 'outbox' ? 'the outbox' : 'another caller of the api'}</Fact>
    </Facts>
  );
}
