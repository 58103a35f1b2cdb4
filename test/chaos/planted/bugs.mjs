// The bugs that somebody could make on the line, one for each rule that a simpler version breaks. Each is exact text of the
// built code and what takes its place (plant.mjs), and the named run that must catch it (run.mjs): a test that passes on
// the build as it is and fails on the copy with the bug, for the reason that `says` tells.
//
// `model` and `chaos`: what the model-based test and a chaos run say of it, where they have been seen to catch it, too.
// `does`: the mistake. `harm`: what it would do to whoever runs it. `rule`: the rule that it breaks; names as in the comments of the code.

const RELAY = 'src/application/delivery/relay-outbox.js';
const CLAIM = 'src/infrastructure/prisma/relay-sql.js';
const RELAY_STORE = 'src/infrastructure/prisma/relay-store.js';
const ATTEMPTS = 'src/infrastructure/prisma/attempt-statements.js';
const BATCHES = 'src/infrastructure/prisma/batch-statements.js';
const LETTERS = 'src/infrastructure/prisma/dead-letter-store.js';
const LETTER_ACTS = 'src/infrastructure/prisma/dead-letter-actions.js';
const SEALS = 'src/infrastructure/prisma/seal-store.js';
const BUNDLES = ['workflow-bundle.js', 'workflow-bundle-traced.js'];

const SETTLE_OPEN = `WHERE event_id = $1::uuid AND epoch = $2::int AND status IN ('PENDING', 'STARTED')
  RETURNING \${SETTLED}`;

export const BUGS = [
  {
    name: 'mark-before-start',
    rule: 'R4',
    does: 'The relay marks its rows STARTED and starts their runs then.',
    harm: 'Killed in between, or refused by Temporal, it leaves rows STARTED that have no run.',
    replacements: [
      {
        file: RELAY,
        find: `await settings.failpoint('after-claim');
        const fit = await rejectUnfit(events);`,
        replace: `const fit = await rejectUnfit(events);
        await persist('mark', claimedAt + leaseMs, (again) => store.markStarted(leaseToken, fit, again));
        await settings.failpoint('after-claim');`,
      },
      {
        file: RELAY,
        find: `if (accepted.length > 0)
            await persist('mark', leaseEnd, (again) => store.markStarted(leaseToken, accepted, again));`,
        replace: '',
      },
    ],
    model: {
      says: /R7: STARTED only where its run was started/,
      means: 'a row is STARTED before its run is',
    },
    caughtBy: {
      project: 'system',
      file: 'test/integration/relay-races.test.ts',
      test: 'R4: a relay killed after its claim: nothing was started, the next one starts all',
      says: /Expected: 5\s+Received: 0/,
      means: 'five events are STARTED, and no run of them was started',
    },
  },
  {
    name: 'no-lease',
    rule: 'R4',
    does: 'A claim leaves the due time of its rows where it was, so that they are due still.',
    harm: 'Every relay takes every row again and again: each start is sent many times, each mark but one is fenced.',
    replacements: [
      {
        file: CLAIM,
        find: "due_at = statement_timestamp() + $2::integer * interval '1 millisecond',\n    policy_hash",
        replace:
          "due_at = coalesce(d.due_at, statement_timestamp() + $2::integer * interval '1 millisecond'),\n    policy_hash",
      },
    ],
    model: {
      says: /R4: claimed while another's lease lasts/,
      means: 'a second relay claims what the first one holds',
    },
    chaos: {
      args: ['--seed', '114', '--short', '--minutes', '0.3', '--rate', '8', '--faults', 'F14'],
      says: /\d+ claims took rows whose lease was not over/,
      means: 'rows are claimed while their lease lasts, which the database notes at each claim',
    },
    caughtBy: {
      project: 'system',
      file: 'test/integration/claim-lanes.test.ts',
      test: 'R4: sixty claims at once take every row exactly once',
      says: /Expected: 1200\s+Received: (?!1200)\d+/,
      means: 'rows are claimed more than once',
    },
  },
  {
    name: 'id-above-last',
    rule: 'R4',
    does: 'The relay goes on behind the highest event id that it has claimed.',
    harm: 'An event whose transaction commits after that of a younger one is never delivered.',
    replacements: [
      {
        file: CLAIM,
        find: `AND d.due_at <= statement_timestamp()
    ORDER BY d.due_at LIMIT l.quota FOR UPDATE SKIP LOCKED) x
  WHERE l.heads IS NULL`,
        replace: `AND d.due_at <= statement_timestamp()
      AND d.event_id > coalesce((\${CURSOR}->>'last')::uuid, '00000000-0000-0000-0000-000000000000')
    ORDER BY d.due_at LIMIT l.quota FOR UPDATE SKIP LOCKED) x
  WHERE l.heads IS NULL`,
      },
      {
        file: RELAY_STORE,
        find: 'const round = [...new Set(',
        replace: `const claimed = rows.flatMap((row) => row.event_id ?? []);
    cursor.last = [before.last ?? '', ...claimed].sort().at(-1) || undefined;
    const round = [...new Set(`,
      },
    ],
    model: {
      says: /I1: an event is left/,
      means: 'an event that was committed late is left for ever',
    },
    caughtBy: {
      project: 'system',
      file: 'test/integration/record-event.test.ts',
      test: 'R4: an early event that commits late is claimed by the first claim after its commit',
      says: /\+ Array \[\]/,
      means: 'the event that committed late is not claimed',
    },
  },
  {
    name: 'redrive-with-the-same-id',
    rule: 'R2',
    does: 'A redrive makes the row PENDING and leaves its epoch.',
    harm: 'Its workflow id is that of the run that failed: Temporal refuses the start as a duplicate, and nothing is sent.',
    replacements: [
      {
        file: LETTER_ACTS,
        find: "SET status = 'PENDING', epoch = d.epoch + 1, budget_epoch = d.epoch + 1, policy_hash = NULL,",
        replace: "SET status = 'PENDING', budget_epoch = d.epoch, policy_hash = NULL,",
      },
    ],
    caughtBy: {
      project: 'system',
      file: 'test/integration/redrive.test.ts',
      test: 'R2: a dead event becomes PENDING and due at epoch + 1, with a new budget and no policy, token or carrier',
      says: /\+ +"epoch": 0,/,
      means: 'the row waits at the epoch of the run that failed',
    },
  },
  {
    name: 'superseded-run-writes-its-letter',
    rule: 'R17',
    does: "A letter's fence takes the row at the run's epoch or any later one.",
    harm: 'A run that was redriven, or given up for lost, kills the event that its successor is delivering.',
    replacements: [
      {
        file: LETTERS,
        find: 'AND epoch = $2::int AND carrier IS NOT DISTINCT FROM $3::text',
        replace: 'AND epoch >= $2::int AND carrier IS NOT DISTINCT FROM $3::text',
      },
    ],
    caughtBy: {
      project: 'system',
      file: 'test/integration/dead-letter-store.test.ts',
      test: 'R17: superseded by epoch, by carrier, by a receipt: nothing is written',
      says: /\+ +"kind": "recorded",/,
      means: 'the letter of another epoch is recorded',
    },
  },
  {
    name: 'token-kept-on-return',
    rule: 'R7',
    does: 'What falls out of a batch goes back to PENDING with the lease token of the relay that has claimed it.',
    harm: "A batch may be quicker than its relay's mark: the mark then makes the row STARTED in an epoch that has no run.",
    replacements: [
      {
        file: BATCHES,
        find: 'carrier = NULL, lease_token = NULL, started_at = NULL',
        replace: 'carrier = NULL, started_at = NULL',
      },
    ],
    caughtBy: {
      project: 'system',
      file: 'test/integration/relay-fences.test.ts',
      test: 'R7, R20: a mark that finds its rows settled, or gone from their batch, is overtaken',
      says: /\+ +"marked": 4,/,
      means: 'the mark takes rows that have left their batch',
    },
  },
  {
    name: 'settling-fenced-by-the-lease',
    rule: 'R16',
    does: 'A receipt settles only a row that no relay holds a lease of.',
    harm: 'What is delivered before its mark, or while another relay has claimed the row again, is delivered twice.',
    replacements: [
      {
        file: ATTEMPTS,
        find: SETTLE_OPEN,
        replace: SETTLE_OPEN.replace('\n', ' AND lease_token IS NULL\n'),
      },
      {
        file: BATCHES,
        find: "AND d.epoch = r.epoch AND d.status IN ('PENDING', 'STARTED')",
        replace: "AND d.epoch = r.epoch AND d.status IN ('PENDING', 'STARTED') AND d.lease_token IS NULL",
      },
    ],
    model: {
      says: /R16: a receipt of this epoch settles/,
      means: 'a receipt is told that it is superseded, and is not',
    },
    caughtBy: {
      project: 'system',
      file: 'test/integration/batch-store.test.ts',
      test: 'R16, R20: what is open by one statement for all, whatever its lease',
      says: /\+ +"settled": 3,/,
      means: 'the row with a lease is not settled',
    },
  },
  {
    name: 'settling-only-from-started',
    rule: 'R16',
    does: 'A receipt settles only a row that is STARTED.',
    harm: 'What is delivered before its mark stays PENDING: it is claimed and delivered again.',
    replacements: [
      {
        file: ATTEMPTS,
        find: SETTLE_OPEN,
        replace: SETTLE_OPEN.replace("status IN ('PENDING', 'STARTED')", "status = 'STARTED'"),
      },
    ],
    model: {
      says: /R16: a receipt of this epoch settles/,
      means: 'a receipt is told that it is superseded, and is not',
    },
    caughtBy: {
      project: 'system',
      file: 'test/integration/attempt-store.test.ts',
      test: 'R16: from PENDING, STARTED and DEAD; the attempt is closed, the receipt stored, the open letter resolved',
      says: /Expected: "settled"\s+Received: "superseded"/,
      means: 'the receipt of a PENDING row is refused',
    },
  },
  {
    name: 'batch-regrouped-after-a-crash',
    rule: 'R20',
    does: 'A batch loads the events that it was started with, whoever carries them by now.',
    harm: 'When a relay dies before its mark its rows go into another batch: both post them, and both write of them.',
    replacements: [
      {
        file: BATCHES,
        find: "WHEN d.carrier IS DISTINCT FROM $1::text OR d.status NOT IN ('PENDING', 'STARTED') THEN 'superseded'",
        replace: "WHEN $1::text IS NULL OR d.status NOT IN ('PENDING', 'STARTED') THEN 'superseded'",
      },
    ],
    caughtBy: {
      project: 'system',
      file: 'test/integration/coalesced-claim.test.ts',
      test: 'R20: what a batch carried and nobody marked goes again, in another batch, and the first has lost it',
      says: /- +10,\n\+ +0,/,
      means: 'the first batch still loads all ten',
    },
  },
  {
    name: 'epoch-in-the-key',
    rule: 'R2',
    does: 'From the second epoch on, the Idempotency-Key has the epoch in it, as the workflow id does.',
    harm: 'A redrive, or a run in place of one that was lost, has its effect once more.',
    replacements: [
      {
        file: 'src/application/delivery/dispatch-event.js',
        find: 'dispatch(event, { mode, timeoutMs: deadlines.sendMs, signal, destination })',
        replace:
          'dispatch(event, { mode, timeoutMs: deadlines.sendMs, signal, destination, epoch: attempt.input.run.epoch })',
      },
      {
        file: 'src/application/delivery/dispatcher.js',
        find: '{ signal: options.signal, endsAt: Math.min(endsAt, own) }',
        replace: '{ signal: options.signal, endsAt: Math.min(endsAt, own), epoch: options.epoch }',
      },
      {
        file: 'src/application/delivery/run-handler.js',
        find: 'idempotencyKey: event.id }',
        replace: 'idempotencyKey: bounds.epoch > 0 ? event.id + ":" + bounds.epoch : event.id }',
      },
    ],
    caughtBy: {
      project: 'unit',
      file: 'test/unit/dispatch-event.test.ts',
      test: "R2: in every epoch the Idempotency-Key is the event's id, so that a redrive has no second effect",
      says: /\+ +"[0-9a-f-]{36}:1",/,
      means: 'the key of another epoch is another key',
    },
  },
  {
    name: 'unclamped-retry-after',
    rule: 'R13',
    does: 'Retry-After is taken as the destination says it.',
    harm: 'One answer puts an event off for a day, or, below a second, makes it hammer a destination that asked for rest.',
    replacements: [
      {
        file: 'src/domain/delivery/compute-delay.js',
        find: '? clampMs(retryAfterMs, RETRY_AFTER_BOUNDS.minMs, RETRY_AFTER_BOUNDS.maxMs)',
        replace: '? retryAfterMs',
      },
      ...BUNDLES.map((file) => ({
        file,
        find: '? clampMs(retryAfterMs, _policy_js__WEBPACK_IMPORTED_MODULE_0__.RETRY_AFTER_BOUNDS.minMs, _policy_js__WEBPACK_IMPORTED_MODULE_0__.RETRY_AFTER_BOUNDS.maxMs)',
        replace: '? retryAfterMs',
      })),
    ],
    caughtBy: {
      project: 'unit',
      file: 'test/unit/decide-after-failure.test.ts',
      test: 'R13: takes a Retry-After of 1e+300 ms as 3600000 ms, and waits the backoff after it',
      says: /Expected: 3600000\s+Received: 86400000/,
      means: 'a day is waited in place of an hour',
    },
  },
  {
    name: 'start-refusal-counted-as-dead',
    rule: 'R8',
    does: 'A row whose start Temporal has refused five times gets a dead letter.',
    harm: 'A wrong namespace, a missing search attribute or a full Temporal kills events that nothing is wrong with.',
    replacements: [
      {
        file: RELAY,
        find: `if (released.length > 0)
            await persist('release'`,
        replace: `for (const { event, reason } of refused.filter(({ event }) => event.startTries + 1 >= TRIES_BEFORE_PUT_OFF)) {
            const { eventId, epoch, carrier } = event;
            await deps.deadLetters.recordDeadLetter({
                run: { eventId, epoch, carrier }, code: 'DISPATCH.INVALID_EVENT', message: reason,
                attempt: null, workflowId: null, runId: null,
            }, 5_000);
        }
        if (released.length > 0)
            await persist('release'`,
      },
    ],
    caughtBy: {
      project: 'system',
      file: 'test/integration/relay-races.test.ts',
      test: 'R8: a row whose start fails beside others for the fifth time is put off five minutes and lives',
      says: /\+ +"status": "DEAD",/,
      means: 'the row is dead instead of put off',
    },
  },
  {
    name: 'dead-letter-after-notification',
    rule: 'R17',
    does: 'The notification is written by a statement of its own, and the letter after it.',
    harm: 'People are told of letters that were never written: of a run that is superseded, or died in between.',
    replacements: [
      {
        file: LETTERS,
        find: 'const [recorded] = await runStatement(pool, {',
        replace: `const notice = uuidV7();
            await runStatement(pool, {
                name: 'delivery_record_notification',
                text: RECORD_NOTIFICATION,
                values: [notice, run.eventId, run.epoch, code],
                timeoutMs,
            });
            const [recorded] = await runStatement(pool, {`,
      },
      {
        file: LETTERS,
        find: `), notification AS (
  INSERT INTO outbox.notification (id, kind, group_key, dead_letter_id, event_id, epoch, code, event_type, tenant)
  SELECT $5::uuid, 'dead_letter', f.event_type || ':' || $6::text, letter.id, f.event_id, $2::int, $6::text, f.event_type,
    f.tenant
  FROM fenced f, letter
)`,
        replace: ')',
      },
      {
        file: LETTERS,
        find: '/** $1 event, $2 epoch. The answer that told of its group may be the one that was lost. */',
        replace: `const RECORD_NOTIFICATION = \`
INSERT INTO outbox.notification (id, kind, group_key, event_id, epoch, code, event_type, tenant)
SELECT $1::uuid, 'dead_letter', d.event_type || ':' || $4::text, d.event_id, $3::int, $4::text, d.event_type, d.tenant
FROM outbox.delivery d WHERE d.event_id = $2::uuid\`;`,
      },
    ],
    caughtBy: {
      project: 'system',
      file: 'test/integration/dead-letter-store.test.ts',
      test: 'R17: all or nothing: where the letter cannot be written, nobody is told of one',
      says: /Expected: 0\s+Received: 1/,
      means: 'a notification stands without its letter',
    },
  },
  {
    name: 'seal-by-sequence',
    rule: 'sealing',
    does: 'The sealer goes by the sequence of the records alone.',
    harm: 'A record whose transaction commits after that of a higher number is in no seal: nobody can prove it.',
    replacements: [
      {
        file: SEALS,
        find: "sealSql('AND r.tx_id < pg_snapshot_xmin(pg_current_snapshot())')",
        replace: "sealSql('')",
      },
      {
        file: SEALS,
        find: 'AND (r.tx_id, r.seq) > ($2::xid8, $3::bigint)',
        replace: 'AND $2::xid8 IS NOT NULL AND r.seq > $3::bigint',
      },
      {
        file: SEALS,
        find: 'ORDER BY r.log_epoch, r.tx_id, r.seq',
        replace: 'ORDER BY r.seq',
      },
    ],
    caughtBy: {
      project: 'system',
      file: 'test/integration/log-sealer.test.ts',
      test: 'fifty writers while it runs, one holding its transaction: every record is sealed once, in order',
      says: /Expected length: 0\s+Received length: [1-9]/,
      means: 'records behind the held transaction are sealed',
    },
  },
];
