/**
 * What a scrape reads elsewhere, with what it may rely on: an answer within the deadline, whatever hangs; one look under way
 * at most, however many scrape; and the same answer for some seconds.
 */
import type { MetricSample } from '../../application/metrics/metrics.js';

export interface SourceAnswer {
  /** All of it was read, and in time. */
  readonly up: boolean;
  /** What was read. What was not is left out: an old value would look like one of now. */
  readonly samples: readonly MetricSample[];
  /** Of a source that has its own: lines in Prometheus' text format. */
  readonly text?: string;
}

export interface MetricSource {
  readonly name: 'outbox_database' | 'audit_database' | 'temporal' | 'sdk';
  /** Never rejects. */
  read(): Promise<SourceAnswer>;
}

/** One look; `tell` what is read as it comes, so that what hangs takes only itself along. Rejects: it is not whole. */
export type Look = (tell: (samples: readonly MetricSample[], text?: string) => void) => Promise<void>;

export interface SourceOptions {
  readonly name: MetricSource['name'];
  readonly look: Look;
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

export function createSource(options: SourceOptions): MetricSource {
  const { name, look, log, now = () => performance.now(), keptMs = KEPT_MS, withinMs = WITHIN_MS } = options;
  let kept: { readonly answer: SourceAnswer; readonly until: number } | null = null;
  let underWay: { readonly done: Promise<SourceAnswer>; readonly sofar: () => SourceAnswer } | null = null;
  let troubled = false;

  function begin(): NonNullable<typeof underWay> {
    const samples: MetricSample[] = [];
    const texts: string[] = [];
    const tell = (more: readonly MetricSample[], text?: string) => {
      samples.push(...more);
      if (text !== undefined) texts.push(text);
    };
    const answer = (up: boolean): SourceAnswer => ({ up, samples: [...samples], text: texts.join('') });
    const done = look(tell)
      .then(
        () => {
          if (troubled) log.info({ source: name }, 'metrics.source_back');
          troubled = false;
          return answer(true);
        },
        (err: unknown) => {
          // Once, until it is read again: a scrape comes every few seconds.
          if (!troubled) log.warn({ source: name, err }, 'metrics.source_away');
          troubled = true;
          return answer(false);
        },
      )
      .then((ended) => {
        kept = { answer: ended, until: now() + keptMs };
        underWay = null;
        return ended;
      });
    return { done, sofar: () => answer(false) };
  }

  return {
    name,
    async read() {
      if (kept !== null && now() < kept.until) return kept.answer;
      underWay ??= begin();
      const { done, sofar } = underWay;
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<SourceAnswer>((resolve) => {
        timer = setTimeout(() => resolve(sofar()), withinMs);
      });
      try {
        return await Promise.race([done, late]);
      } finally {
        clearTimeout(timer);
      }
    },
  };
}
