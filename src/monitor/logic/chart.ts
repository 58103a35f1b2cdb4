/**
 * Where the parts of a chart stand. A span that was not counted has no bar and no point: it is a gap, and shown as one.
 */

export interface Span {
  /** How long it is. */
  readonly minutes: number;
  /** Whether anybody was there to count. */
  readonly counted: boolean;
  /** null: not counted, or nothing was there to be measured. */
  readonly value: number | null;
}

export interface Box {
  readonly width: number;
  readonly height: number;
}

export interface Bar {
  /** Which span. */
  readonly index: number;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Gap {
  readonly x: number;
  readonly width: number;
}

/** 1, 2 or 5 times a power of ten, and nothing of the values is above it. 1 where all are 0. */
export function niceCeiling(values: readonly (number | null)[]): number {
  const most = Math.max(0, ...values.filter((value) => value !== null));
  if (most === 0) return 1;
  const power = 10 ** Math.floor(Math.log10(most));
  return ([1, 2, 5, 10].find((step) => step * power >= most) ?? 10) * power;
}

/** Bars from the ground up, as wide as their spans are long. */
export function layOutBars(spans: readonly Span[], ceiling: number, box: Box): readonly Bar[] {
  return placesOf(spans, box).flatMap(({ x, width, value }, index) => {
    if (value === null) return [];
    const height = (Math.min(value, ceiling) / ceiling) * box.height;
    return [{ index, x, y: box.height - height, width, height }];
  });
}

/** Of what was not counted; neighbouring ones are one. */
export function layOutGaps(spans: readonly Span[], box: Box): readonly Gap[] {
  const gaps: { x: number; width: number }[] = [];
  let open: { x: number; width: number } | null = null;
  for (const { x, width, counted } of placesOf(spans, box)) {
    if (counted) {
      open = null;
    } else if (open === null) {
      open = { x, width };
      gaps.push(open);
    } else {
      open.width += width;
    }
  }
  return gaps;
}

/** The `d` of a path through the middles of the spans, broken at gaps. A lone span is a short dash. */
export function layOutLine(spans: readonly Span[], ceiling: number, box: Box): string {
  const places = placesOf(spans, box);
  return places
    .flatMap(({ x, width, value }, index) => {
      if (value === null) return [];
      const y = round(box.height - (Math.min(value, ceiling) / ceiling) * box.height);
      const first = (places[index - 1]?.value ?? null) === null;
      const last = (places[index + 1]?.value ?? null) === null;
      if (first && last) return [`M${round(x)} ${y}H${round(x + width)}`];
      return [`${first ? 'M' : 'L'}${round(x + width / 2)} ${y}`];
    })
    .join('');
}

function placesOf(spans: readonly Span[], { width }: Box) {
  const minutes = spans.reduce((sum, span) => sum + span.minutes, 0);
  let before = 0;
  return spans.map((span) => {
    const place = {
      x: minutes === 0 ? 0 : (before / minutes) * width,
      width: minutes === 0 ? 0 : (span.minutes / minutes) * width,
      counted: span.counted,
      value: span.value,
    };
    before += span.minutes;
    return place;
  });
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
