/** What the actors of one run share: the database, the modelled server and destination, the clock, who does what. */
import { randomUUID } from 'node:crypto';
import { createPool, type PgPool } from '../../src/infrastructure/prisma/pg-pool.js';
import { type Books, readBooks } from './books.js';
import { checkBooks, checkStep } from './invariants.js';
import type { Gate, Job, Opened } from './jobs.js';
import { crash, untilQuiet } from './jobs.js';
import { createLedger, type Ledger } from './ledger.js';
import { POLICY, POLICY_HASH, type SeatName } from './scene.js';
import { createTemporal, type ModelTemporal, type Workflows } from './temporal.js';

export interface World {
  readonly pool: PgPool;
  readonly temporal: ModelTemporal;
  readonly ledger: Ledger;
  /** In which attempts try their writes again, instead of handing on what they know. */
  readonly patient: boolean;
  /** How often each move of the table came, over all runs. */
  readonly moves: Map<string, number>;
  readonly seats: Map<SeatName, Job>;
  /** Those that do not know yet that they are late, beside those of the seats. */
  readonly jobs: Set<Job>;
  readonly committed: Set<string>;
  /** Appended by transactions that have not ended. */
  readonly open: { readonly id: string; end(commits: boolean): Promise<void> }[];
  /** When a token claimed its rows, by the world's clock. */
  readonly claimedAt: Map<string, number>;
  readonly trace: string[];
  books: Books;
  now(): number;
  /** Lets time pass: what the database knows of moments moves back. */
  pass(ms: number): Promise<void>;
  append(destination: string, commits: boolean): Promise<void>;
  step(job: Job, gate: Gate, opened: Opened): Promise<void>;
  crash(job: Job): Promise<void>;
  /** A job that has just begun stands at its first gate then. */
  begun(job: Job): Promise<void>;
  /** Nobody holds a transaction, so that the world itself need not wait. */
  isFree(): boolean;
  close(): Promise<void>;
}

/** Once for all runs. */
export async function openPool(url: string): Promise<PgPool> {
  const pool = createPool(url, { max: 60 });
  await pool.query('INSERT INTO outbox.policy (hash, body) VALUES ($1, $2)', [POLICY_HASH, POLICY]);
  return pool;
}

export async function createWorld(
  pool: PgPool,
  workflows: Workflows,
  { patient, moves }: Pick<World, 'patient' | 'moves'>,
): Promise<World> {
  await pool.query(CLEAR);
  let shift = 0;
  const now = () => performance.now() + shift;
  const world: World = {
    ...{ pool, patient, moves, now, temporal: createTemporal(workflows), ledger: createLedger() },
    seats: new Map(),
    jobs: new Set(),
    committed: new Set(),
    open: [],
    claimedAt: new Map(),
    trace: [],
    books: await readBooks(pool),

    async pass(ms) {
      shift += ms;
      await pool.query(PASS, [ms]);
      world.trace.push(`${ms} ms pass`);
      for (const job of world.jobs) {
        for (const gate of [...job.gates]) {
          if (gate.kind === 'sleep' && (gate.until ?? 0) <= now()) gate.open({ outcome: 'ok', choice: 0 });
        }
      }
      await judge(null);
    },

    async append(destination, commits) {
      const client = await pool.connect();
      await client.query('BEGIN');
      const { rows } = await client.query<{ id: string }>(APPEND, [destination, randomUUID()]);
      const { id } = rows[0] as { id: string };
      const end = async (commit: boolean) => {
        await client.query(commit ? 'COMMIT' : 'ROLLBACK');
        client.release();
        if (commit) world.committed.add(id);
        world.trace.push(`append ${id} to ${destination}: ${commit ? 'committed' : 'rolled back'}`);
      };
      if (commits) await end(true);
      else world.open.push({ id, end });
      await judge(null);
    },

    async step(job, gate, opened) {
      for (const other of world.jobs) {
        other.ran.splice(0);
        other.notes.splice(0);
      }
      world.trace.push(`${job.name}: ${gate.label}${opened.outcome === 'ok' ? '' : ` (${opened.outcome})`}`);
      gate.open(opened);
      await judge(job);
    },

    async crash(job) {
      world.trace.push(`${job.name}: crash`);
      await crash(job);
      world.jobs.delete(job);
      await judge(null);
    },

    async begun(job) {
      world.jobs.add(job);
      await untilQuiet([...world.jobs], pool);
    },

    isFree: () => ![...world.jobs].some(({ clients }) => [...clients].some(({ inTransaction }) => inTransaction)),

    async close() {
      for (const job of world.jobs) await crash(job);
      for (const { end } of world.open.splice(0)) await end(false);
    },
  };

  async function judge(mover: Job | null): Promise<void> {
    const others = [...world.jobs].filter((job) => job !== mover && job.underWay.size > 0);
    await untilQuiet([...world.jobs], pool);
    // Those that waited for a lock which this step gave back.
    const movers = [...(mover === null ? [] : [mover]), ...others.filter(({ underWay }) => underWay.size === 0)];
    const before = world.books;
    world.books = await readBooks(pool);
    for (const job of world.jobs) {
      if (job.state === 'ended' && job.failure !== null) throw job.failure;
      if (job.state === 'ended') world.jobs.delete(job);
    }
    checkStep(world, before, movers);
    checkBooks(world);
  }
  return world;
}

const CLEAR = `DELETE FROM outbox.delivery_attempt; DELETE FROM outbox.dead_letter; DELETE FROM outbox.notification;
  DELETE FROM outbox.event_revision; DELETE FROM outbox.delivery; DELETE FROM outbox.event; DELETE FROM outbox.lease;
  UPDATE outbox.deployment SET adopting_before = NULL`;

const back = (...columns: string[]) =>
  columns.map((c) => `${c} = ${c} - $1::bigint * interval '1 millisecond'`).join(', ');
const PASS = `WITH leases AS (UPDATE outbox.lease SET ${back('until')}),
  letters AS (UPDATE outbox.dead_letter SET ${back('effect_ask_at', 'created_at')}),
  adoption AS (UPDATE outbox.deployment SET ${back('adopting_before')} WHERE adopting_before IS NOT NULL)
  UPDATE outbox.delivery SET ${back('due_at', 'started_at')}`;

const APPEND = `SELECT outbox.record_event(jsonb_build_object('eventName', 'order.order.placed.v1', 'eventType', 'ORDER',
  'routingKey', $1::text, 'tenantId', 'acme', 'aggregate', jsonb_build_object('type', 'order', 'id', $2::text),
  'payload', '{"total": 1}'::jsonb)) AS id`;
