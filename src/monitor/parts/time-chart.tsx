import { useId } from 'react';
import { layOutBars, layOutGaps, layOutLine, niceCeiling, type Span } from '../logic/chart.js';
import { Time } from './time.js';
import classes from './time-chart.module.css';

export interface ChartSpan extends Span {
  /** Its begin. */
  readonly at: string;
}

export interface TimeChartProps {
  /** What is shown, with its unit. */
  readonly title: string;
  readonly kind: 'bars' | 'line';
  readonly tone: 'accent' | 'bad';
  readonly spans: readonly ChartSpan[];
  readonly format: (value: number) => string;
  /** Of the chart's upper end, which is no value; default: as a value. */
  readonly formatScale?: (value: number) => string;
}

/** It is stretched to the width that there is: lines keep theirs, and labels stand beside it. */
const BOX = { width: 600, height: 100 };

/** A figure over time, and the same numbers as a table. What was not counted is hatched, and never a zero. */
export function TimeChart({ title, kind, tone, spans, format, formatScale = format }: TimeChartProps) {
  const hatch = useId();
  const values = spans.map(({ value }) => value);
  const missing = spans.filter(({ counted }) => !counted).length;
  const ceiling = niceCeiling(values);
  const gaps = layOutGaps(spans, BOX);
  const first = spans[0]?.at ?? null;
  const last = spans.at(-1)?.at ?? null;
  const label = `${title}. ${sumUp(values, missing, format)} The numbers stand in the table below.`;
  return (
    <figure className={classes.chart}>
      <figcaption className={classes.head}>
        <span>{title}</span>
        <span className="dim numbers">up to {formatScale(ceiling)}</span>
      </figcaption>
      <svg
        className={tone === 'bad' ? classes.bad : classes.accent}
        viewBox={`0 0 ${BOX.width} ${BOX.height}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={label}
      >
        <title>{label}</title>
        <pattern id={hatch} width="8" height="8" patternUnits="userSpaceOnUse">
          <path className={classes.hatch} d="M0 8 8 0" />
        </pattern>
        {gaps.map(({ x, width }) => (
          <rect key={x} x={x} y="0" width={width} height={BOX.height} fill={`url(#${hatch})`} />
        ))}
        {kind === 'bars' ? (
          layOutBars(spans, ceiling, BOX).map(({ index, ...bar }) => (
            <rect key={index} className={classes.bar} {...bar} />
          ))
        ) : (
          <path className={classes.line} d={layOutLine(spans, ceiling, BOX)} />
        )}
        <path className={classes.ground} d={`M0 ${BOX.height}H${BOX.width}`} />
      </svg>
      <div className={classes.foot}>
        <Time at={first} />
        {gaps.length > 0 && <span className={classes.gapped}>hatched: not counted</span>}
        <Time at={last} />
      </div>
      <details>
        <summary>Show as table</summary>
        <table className={classes.table}>
          <caption className="unseen">{title}</caption>
          <thead>
            <tr>
              <th scope="col">From</th>
              <th scope="col">Minutes</th>
              <th scope="col">{title}</th>
            </tr>
          </thead>
          <tbody>
            {spans.map(({ at, minutes, counted, value }) => (
              <tr key={at}>
                <td>
                  <Time at={at} />
                </td>
                <td>{minutes}</td>
                <td>{value === null ? (counted ? 'nothing' : 'not counted') : format(value)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </details>
    </figure>
  );
}

function sumUp(values: readonly (number | null)[], missing: number, format: (value: number) => string): string {
  const known = values.filter((value) => value !== null);
  const gaps = missing === 0 ? '' : ` ${missing} of ${values.length} spans were not counted.`;
  if (known.length === 0) return `There was nothing.${gaps}`;
  return `From ${format(Math.min(...known))} to ${format(Math.max(...known))}.${gaps}`;
}
