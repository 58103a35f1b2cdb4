import { v7 as uuidv7 } from 'uuid';
import type {
  LatestVerification,
  VerificationBook,
  VerificationQueue,
  VerificationReport,
} from '../../application/audit/monitor/ports-verification.js';
import type { Verification } from '../../contract/verifications-api.js';
import { runAuditStatement } from './audit-store.js';
import type { PgPool } from './pg-pool.js';
import { toStorableText } from './to-storable.js';
import {
  ASK,
  ASK_WHEN_DUE,
  BEAT,
  FAIL,
  FIND,
  FIND_OPEN,
  FINISH,
  GIVE_UP,
  LATEST,
  LIST,
  PRUNE,
  RECOVER,
  TAKE,
  UNVERIFIED,
} from './verification-statements.js';

const TIMEOUT_MS = 2_000;
/** Whoever may ask could else fill the table with them. */
const MOST_OPEN = 100;
const MOST_KEPT = 1_000;
/** Begun so often in all: a worker that dies three times over the same log would die a fourth time. */
const MOST_TRIES = 3;
const LOST_AFTER_MS = 30_000;
const LOST =
  'three workers that had begun it were lost, or their database was; see the log of the workers, then ask for it again';
/** Of one that failed, however seldom the whole log is asked for. */
const AGAIN_AFTER_HOURS = 1;
/** One that ends between the two statements of an ask is asked for anew; no other does so often. */
const ASK_TRIES = 3;
const BREAK_LENGTH = 500;
const SENTENCE_LENGTH = 1_000;

/** What was asked for, and what became of it, by named statements over the pool given. */
export function createVerificationBook(pool: PgPool): VerificationBook {
  const run = <Row extends object>(name: string, text: string, values: readonly unknown[] = []) =>
    runAuditStatement<Row>(pool, { name: `audit_verification_${name}`, text, values, timeoutMs: TIMEOUT_MS });
  return {
    async ask(recordId, askedBy) {
      for (let n = 0; n < ASK_TRIES; n++) {
        const [asked] = await run<Row>('ask', ASK, [uuidv7(), recordId, toStorableText(askedBy), MOST_OPEN]);
        if (asked !== undefined) return toVerification(asked);
        // A statement of its own: the first one does not see what another has just asked for.
        const [open] = await run<Row>('find_open', FIND_OPEN, [recordId]);
        if (open !== undefined) return toVerification(open);
      }
      return 'full';
    },

    list: async (limit) => (await run<Row>('list', LIST, [limit])).map(toVerification),

    async find(id) {
      const [row] = await run<Row>('find', FIND, [id]);
      return row === undefined ? null : toVerification(row);
    },

    async readLatest(): Promise<LatestVerification> {
      const rows = await run<LatestRow>('latest', LATEST);
      const [age] = await run<{ seconds: string }>('unverified', UNVERIFIED);
      const of = (what: LatestRow['what']) => rows.find((row) => row.what === what);
      const [latest, done, part] = [of('latest'), of('done'), of('part')];
      return {
        latest: latest === undefined ? null : toVerification(latest),
        done: done === undefined ? null : toVerification(done),
        brokenPart: part === undefined ? null : toVerification(part),
        unverifiedSeconds: age === undefined ? null : Math.max(0, Number(age.seconds)),
        waitingSeconds: latest?.waiting_seconds ?? null,
      };
    },
  };
}

/** The same rows as the duty `verify` of a worker writes them: fenced by its lease where it takes, by the row's holder then. */
export function createVerificationQueue(pool: PgPool): VerificationQueue {
  const run = <Row extends object>(name: string, text: string, values: readonly unknown[]) =>
    runAuditStatement<Row>(pool, { name: `audit_verification_${name}`, text, values, timeoutMs: TIMEOUT_MS });
  const written = async (name: string, text: string, values: readonly unknown[]) =>
    (await run(name, text, values)).length > 0;
  return {
    async recover({ name, holder }) {
      await run('recover', RECOVER, [name, holder, MOST_TRIES, LOST, LOST_AFTER_MS]);
    },

    askWhenDue: ({ name, holder }, everyHours) =>
      written('ask_when_due', ASK_WHEN_DUE, [name, holder, uuidv7(), everyHours, AGAIN_AFTER_HOURS]),

    async take({ name, holder }) {
      const [row] = await run<TakenRow>('take', TAKE, [name, holder]);
      return row === undefined ? null : { id: row.id, recordId: row.record_id, askedBy: row.asked_by };
    },

    beat: ({ holder }, id, progress) =>
      written('beat', BEAT, [id, holder, progress === null ? null : JSON.stringify(progress)]),

    finish: ({ holder }, id, { outcome, report }) =>
      written('finish', FINISH, [id, holder, outcome, JSON.stringify(toStorable(report))]),

    fail: ({ holder }, id, why) => written('fail', FAIL, [id, holder, cut(why, SENTENCE_LENGTH)]),

    giveUp: ({ holder }, id, counted) =>
      written('give_up', GIVE_UP, [id, holder, MOST_TRIES, LOST, counted === 'lost' ? 0 : 1]),

    async prune({ name, holder }) {
      await run('prune', PRUNE, [name, holder, MOST_KEPT]);
    },
  };
}

/** Sentences of the verifier may hold names out of a database that somebody has tampered with. */
function toStorable(report: VerificationReport): VerificationReport {
  return { ...report, breaks: report.breaks.map((one) => ({ ...one, what: cut(one.what, BREAK_LENGTH) })) };
}

const cut = (text: string, length: number): string => toStorableText(text.slice(0, length));

interface Row {
  readonly id: string;
  readonly record_id: string | null;
  readonly asked_by: string;
  readonly asked_at: Date;
  readonly state: Verification['state'];
  readonly progress: Verification['progress'];
  readonly ended_at: Date | null;
  readonly outcome: Verification['outcome'];
  readonly report: Verification['report'];
  readonly error: string | null;
}

interface LatestRow extends Row {
  readonly what: 'latest' | 'done' | 'part';
  readonly waiting_seconds: number | null;
}

type TakenRow = Pick<Row, 'id' | 'record_id' | 'asked_by'>;

function toVerification(row: Row): Verification {
  const { id, state, progress, outcome, report, error } = row;
  return {
    id,
    recordId: row.record_id,
    askedBy: row.asked_by,
    askedAt: row.asked_at.toISOString(),
    state,
    progress,
    endedAt: row.ended_at?.toISOString() ?? null,
    outcome,
    report,
    error,
  };
}
