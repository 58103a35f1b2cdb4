import type { OverviewPart, OverviewPartName, OverviewValue } from '../contract/overview-api.js';

export type PartOf<Name extends OverviewPartName> = Extract<OverviewPart, { readonly name: Name }>;

/** One part of the overview as it is now. Never rejects, and answers within its deadline. */
export type PartReader<Name extends OverviewPartName> = () => Promise<PartOf<Name>>;

/** What a look at a part has found. */
export interface SeenPart<Name extends OverviewPartName> {
  readonly value: OverviewValue<Name>;
  /** Why it is not well, for people; null: it is. */
  readonly trouble: string | null;
}

export interface PartDeps {
  /** Why a look failed, in a sentence for people who may see neither settings nor stacks. */
  readonly explain: (error: unknown) => string;
  readonly now: () => Date;
  /** Default 1,500. */
  readonly withinMs?: number;
}

const WITHIN_MS = 1_500;

/**
 * Reads one part, with what the overview promises of each: a look that fails or is late makes the part `away`, with the
 * last value that there was and that one's time, never an empty one. At most one look is under way: whoever asks meanwhile
 * waits for the same. One that comes late is not lost, it is the next one's last value.
 */
export function partReader<Name extends OverviewPartName>(
  name: Name,
  look: () => Promise<SeenPart<Name>>,
  { explain, now, withinMs = WITHIN_MS }: PartDeps,
): PartReader<Name> {
  let last: { readonly seen: SeenPart<Name>; readonly at: string } | null = null;
  let looking: Promise<void> | null = null;

  async function lookOnce(): Promise<void> {
    const seen = await look();
    last = { seen, at: now().toISOString() };
  }

  function tell(state: 'ok' | 'failing' | 'away', reason: string | null): PartOf<Name> {
    const part = { name, state, at: last?.at ?? null, reason, value: last?.seen.value ?? null };
    // A name and its own value: what makes it a member of the union is not to be told of a name that is a parameter.
    return part as unknown as PartOf<Name>;
  }

  return async () => {
    looking ??= lookOnce().finally(() => {
      looking = null;
    });
    try {
      if ((await within(looking, withinMs)) === 'late') return tell('away', `no answer within ${withinMs} ms`);
    } catch (error) {
      return tell('away', explain(error));
    }
    const trouble = last?.seen.trouble ?? null;
    return tell(trouble === null ? 'ok' : 'failing', trouble);
  };
}

/** A failure behind the deadline is nobody's any more: the next look tells its own. */
async function within(work: Promise<void>, ms: number): Promise<'done' | 'late'> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), ms);
  });
  try {
    return await Promise.race([work.then((): 'done' => 'done'), late]);
  } finally {
    clearTimeout(timer);
  }
}
