import type { Figures, OverviewValue } from '../../contract/overview-api.js';

type Figure = Figures['byEventType'][number];
type RateNow = OverviewValue<'rate'>['byEventType'][number];

/** One line of a breakdown: what was settled in the window, and what is delivered now. */
export interface BreakdownRow {
  readonly key: string;
  /** null: all that have no line of their own. */
  readonly name: string | null;
  /** null: nothing of that name was counted in the window. */
  readonly figure: Figure | null;
  /** null: not known. */
  readonly perSecond: number | null;
}

/**
 * The window's lines in their order, then those that there are only now. `rates`: null where they are not known;
 * `bound`: at so many of them there may be others.
 */
export function breakDown(
  figures: readonly Figure[],
  rates: readonly RateNow[] | null,
  bound: number,
): readonly BreakdownRow[] {
  const now = new Map((rates ?? []).map(({ name, perSecond }) => [name, perSecond]));
  const none = rates === null || rates.length >= bound ? null : 0;
  const rows = figures.map((figure): BreakdownRow => {
    const { name } = figure;
    if (name === null) return { key: 'others', name, figure, perSecond: null };
    return { key: `name ${name}`, name, figure, perSecond: now.get(name) ?? none };
  });
  const counted = new Set(figures.map(({ name }) => name));
  const others = [...now].filter(([name]) => !counted.has(name));
  return [
    ...rows,
    ...others.map(([name, perSecond]): BreakdownRow => ({ key: `name ${name}`, name, figure: null, perSecond })),
  ];
}
