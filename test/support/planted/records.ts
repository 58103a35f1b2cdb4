/** Records, sealed and signed; what was not stored; and verifications. */
import type { Pool } from 'pg';
import {
  idOf,
  insert,
  KINDS,
  leafHashOf,
  PLANTED,
  type Planting,
  type Row,
  recordIdOf,
  TENANTS,
  type Trouble,
} from './rows.ts';

export async function plantRecords(planting: Planting & { audit: Pool; record: string; trouble: Trouble }) {
  const { audit, text, ago, record, trouble } = planting;
  // In the first hours of a month the oldest ones are of the month before, which nothing of ours makes.
  await makeMonthOf(audit, new Date(ago(120)));
  const ordinary = Array.from({ length: 24 }, (_, n) => {
    const kind = KINDS[n % KINDS.length];
    const at = ago(1 + n * 3);
    return recordRow({
      id: recordIdOf(new Date(at), 100 + n),
      at,
      tenant: TENANTS[n % TENANTS.length] ?? '',
      event: {
        ...AUDIT_EVENT,
        eventId: idOf(1, 100 + n),
        action: (kind?.[0] ?? '').replace(/\.v1$/, ''),
        occurredAt: at,
        actor: { type: 'user', id: `u-${(n * 17) % 40}` },
        targets: [{ type: kind?.[3] ?? '', id: String(10_000 + n) }],
        outcome: n % 8 === 5 ? 'denied' : 'success',
      },
    });
  });
  const erasedAt = ago(64);
  await insert(audit, 'audit.record', [
    ...ordinary,
    recordRow({
      id: record,
      at: ago(30),
      tenant: text('record.tenant', 'acme'),
      event: {
        ...AUDIT_EVENT,
        eventId: text('record.eventId', PLANTED.deliveredEvent),
        source: text('record.source', 'outbox:shop'),
        action: text('record.action', 'order.order.placed'),
        occurredAt: ago(31),
        outcome: 'success',
        outcomeReason: text('record.outcomeReason', 'paid in full'),
        category: text('record.category', 'data'),
        operation: text('record.operation', 'update'),
        severity: text('record.severity', 'info'),
        actor: { type: 'user', id: text('record.actorId', 'u-17'), name: text('record.actorName', 'Ada') },
        targets: [{ type: text('record.targetType', 'order'), id: text('record.targetId', '10089') }],
        changes: [
          {
            field: text('change.field', '/status'),
            old: text('change.old', 'placed'),
            new: text('change.new', 'paid'),
          },
          { field: '/total', old: 118.5, new: 112 },
          { field: '/customer/email', redacted: true },
        ],
        context: { [text('record.contextKey', 'ip')]: text('record.contextValue', '192.0.2.17') },
        metadata: { deployment: 'shop' },
      },
    }),
    {
      ...recordRow({ id: recordIdOf(new Date(erasedAt), 2), at: erasedAt, tenant: 'globex', event: AUDIT_EVENT }),
      body: {},
      salt: '\\x',
      actor_id: null,
      erased_at: ago(10),
    },
  ]);
  await audit.query(`
    INSERT INTO audit.record_key (tenant_id, source, event_id, record_id, recorded_at, hmac_key_id, fingerprint, leaf_hash)
    SELECT tenant_id, source, event_id, record_id, recorded_at, 'k1', leaf_hash, leaf_hash FROM audit.record`);
  // All of it sealed, and signed: what the tree is made of is a seal.
  await audit.query(`
    INSERT INTO audit.seal (first_index, size, epoch, last_tx, last_seq, hashes)
    SELECT 0, count(*), max(log_epoch), max(tx_id), max(seq), string_agg(leaf_hash, ''::bytea ORDER BY seq) FROM audit.record`);
  await audit.query(
    `INSERT INTO audit.checkpoint (branch, size, root, note, anchor) SELECT 1, count(*), sha256('root'), $1, $2 FROM audit.record`,
    [
      text('checkpoint.note', 'log.shop.example/audit\n26\nq0vX\n\n— log.shop.example/audit 9mI0\n'),
      text('checkpoint.anchor', 'file:/var/lib/outbox/anchor.ndjson'),
    ],
  );
  await insert(audit, 'audit.failed_ingest', [
    {
      id: PLANTED.failedIngest,
      tenant_id: text('ingest.tenant', 'acme'),
      source: text('ingest.source', '/services/billing'),
      event_id: text('ingest.eventId', 'inv-7781'),
      body: JSON.stringify({ ...AUDIT_EVENT, [text('ingest.key', 'note')]: text('ingest.value', 'from billing') }),
      hmac_key_id: 'k1',
      fingerprint: `\\x${'00'.repeat(32)}`,
      code: text('ingest.code', '22P05').slice(0, 100),
      message: text('ingest.message', 'unsupported Unicode escape sequence'),
      key_id: idOf(8, 1),
      tries: 3,
      first_at: ago(200),
      last_at: ago(15),
      state: 'open',
      actor: text('ingest.actor', 'user:ada').slice(0, 200),
      reason: text('ingest.reason', 'the database was mended'),
    },
  ]);
  const asked = verifications({ text, ago, record });
  await insert(audit, 'audit.verification', trouble === 'all' ? asked : asked.slice(0, 1));
}

async function makeMonthOf(audit: Pool, at: Date): Promise<void> {
  const [from, to] = [0, 1].map((n) => new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + n, 1)).toISOString());
  const name = `record_${from?.slice(0, 7).replace('-', '_')}`;
  await audit.query(
    `CREATE TABLE IF NOT EXISTS audit.${name} PARTITION OF audit.record FOR VALUES FROM ('${from}') TO ('${to}')`,
  );
}

function verifications({ text, ago, record }: Planting & { record: string }): Row[] {
  const counted = { from: 0, to: 26, records: 26, erased: 1, dropped: 0, pending: 0, signedSize: 26, anchoredSize: 26 };
  const base = { holder: null, beat_at: null, tries: 1, progress: null, outcome: null, report: null, error: null };
  return [
    {
      ...base,
      id: idOf(10, 1),
      record_id: null,
      asked_by: 'worker',
      asked_at: ago(180),
      state: 'done',
      ended_at: ago(179),
      outcome: 'whole',
      report: { ...counted, counts: {}, breaks: [] },
    },
    {
      ...base,
      id: idOf(10, 2),
      record_id: record,
      asked_by: text('verification.askedBy', 'user:ada'),
      asked_at: ago(18),
      state: 'done',
      ended_at: ago(17),
      outcome: 'broken',
      report: {
        ...counted,
        counts: { [text('verification.kind', 'changed')]: 1 },
        breaks: [
          {
            kind: text('break.kind', 'changed'),
            index: 12,
            recordId: text('break.recordId', record),
            what: text('break.what', 'the body is not what its leaf was made of'),
          },
        ],
      },
    },
    {
      ...base,
      id: idOf(10, 3),
      record_id: record,
      asked_by: 'user:ada',
      asked_at: ago(60),
      state: 'failed',
      ended_at: ago(59),
      error: text('verification.error', 'the anchor could not be read'),
    },
  ];
}

const AUDIT_EVENT = {
  specVersion: '1.0',
  eventId: 'e-1',
  source: 'outbox:shop',
  action: 'order.order.placed',
  actionVersion: 1,
  category: 'data',
  operation: 'create',
  outcome: 'success',
  severity: 'info',
  occurredAt: '2026-01-02T03:04:05.678Z',
  actor: { type: 'user', id: 'u-1' },
  targets: [],
};

interface PlantedRecord {
  readonly id: string;
  readonly at: string;
  readonly tenant: string;
  readonly event: typeof AUDIT_EVENT | Row;
}

function recordRow({ id, at, tenant, event }: PlantedRecord): Row {
  const { eventId, source, action, category, operation, outcome, severity } = event as typeof AUDIT_EVENT;
  return {
    record_id: id,
    recorded_at: at,
    log_epoch: 1,
    tenant_id: tenant,
    source,
    event_id: eventId,
    action,
    action_version: 1,
    category,
    operation,
    outcome,
    severity,
    occurred_at: at,
    actor_type: 'user',
    actor_id: 'u-1',
    via: 'outbox',
    key_id: idOf(8, 1),
    leaf_version: 1,
    salt: `\\x${'07'.repeat(16)}`,
    body: event,
    leaf_hash: `\\x${leafHashOf(id)}`,
    erased_at: null,
  };
}
