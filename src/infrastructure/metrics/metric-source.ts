/**
 * What a scrape reads elsewhere, with what it may rely on: an answer within the deadline, whatever hangs; one look under way
 * at most, however many scrape; and nothing in it that was read longer ago than `MOST_AGE_MS`.
 */
import type { MetricSample } from '../../application/metrics/metrics.js';
import type { GaugePart } from '../../application/metrics/read-gauges.js';

export interface SourceAnswer {
  /** It answered, and in time; null: nobody has asked it yet. */
  readonly up: boolean | null;
  /** Whether each part was read; empty while the source is away, for then none was. */
  readonly parts: readonly { readonly name: string; readonly up: boolean }[];
  /** Of the parts that were read. */
  readonly samples: readonly MetricSample[];
  /** Of a source that has its own: lines in Prometheus' text format. */
  readonly text: string;
}

export interface MetricSource {
  readonly name: 'outbox_database' | 'audit_database' | 'temporal' | 'sdk';
  /** Never rejects. */
  read(): Promise<SourceAnswer>;
}

/** `unknown`: nobody has asked it yet. `text`: as in the answer. */
export interface Reached {
  readonly unknown?: true;
  readonly text?: string;
}

export interface SourceOptions {
  readonly name: MetricSource['name'];
  /** Whether it answers at all, as cheaply as that can be asked. Rejects: it is away. */
  readonly reach: () => Promise<Reached | undefined>;
  /** Read one after the other once it answered: one that fails or hangs takes itself along alone. Each has a deadline of its own. */
  readonly parts?: readonly GaugePart[];
  readonly log: { warn(fields: object, message: string): void; info(fields: object, message: string): void };
  /** Milliseconds, never going back. */
  readonly now?: () => number;
  /** Default 3 s. */
  readonly keptMs?: number;
  /** Default 1.5 s. */
  readonly withinMs?: number;
}

const KEPT_MS = 3_000;
const WITHIN_MS = 1_500;
/** Two scrapes as a rule: a part that comes too late for the one that asked is told to the next. */
const MOST_AGE_MS = 30_000;

export function createSource(options: SourceOptions): MetricSource {
  const { name, reach, parts = [], log, now = () => performance.now() } = options;
  const { keptMs = KEPT_MS, withinMs = WITHIN_MS } = options;
  /** As this look found it; null: it has not answered yet. */
  let reached: (Reached & { readonly up: boolean; readonly at: number }) | null = null;
  const read = new Map<string, { readonly samples: readonly MetricSample[]; readonly at: number }>();
  let underWay: Promise<void> | null = null;
  let keptUntil = Number.NEGATIVE_INFINITY;
  const troubled = new Set<string>();

  /** Once, until it is well again: a scrape comes every few seconds. */
  function said(part: string | null, err: unknown): void {
    const [fields, key] = part === null ? [{ source: name }, ''] : [{ source: name, part }, part];
    if (err === null) {
      if (troubled.delete(key)) log.info(fields, part === null ? 'metrics.source_back' : 'metrics.part_back');
    } else if (!troubled.has(key)) {
      troubled.add(key);
      log.warn({ ...fields, err }, part === null ? 'metrics.source_away' : 'metrics.part_failed');
    }
  }

  async function look(): Promise<void> {
    reached = null;
    let at = now();
    try {
      reached = { ...(await reach()), up: true, at };
      said(null, null);
    } catch (err) {
      reached = { up: false, at };
      said(null, err);
      return;
    }
    for (const part of parts) {
      at = now();
      try {
        read.set(part.name, { samples: await part.read(), at });
        said(part.name, null);
      } catch (err) {
        read.delete(part.name);
        said(part.name, err);
      }
    }
  }

  function answer(): SourceAnswer {
    const lately = ({ at }: { readonly at: number }) => now() - at <= MOST_AGE_MS;
    const { text = '', unknown, up = false } = reached !== null && lately(reached) ? reached : {};
    if (unknown || !up) return { up: unknown ? null : false, parts: [], samples: [], text: '' };
    const told = parts.map((part) => {
      const found = read.get(part.name);
      return { name: part.name, found: found !== undefined && lately(found) ? found : null };
    });
    return {
      up,
      parts: told.map((part) => ({ name: part.name, up: part.found !== null })),
      samples: told.flatMap(({ found }) => found?.samples ?? []),
      text,
    };
  }

  return {
    name,
    async read() {
      if (now() < keptUntil) return answer();
      underWay ??= look().finally(() => {
        keptUntil = now() + keptMs;
        underWay = null;
      });
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, withinMs);
      });
      await Promise.race([underWay, late]);
      clearTimeout(timer);
      return answer();
    },
  };
}
