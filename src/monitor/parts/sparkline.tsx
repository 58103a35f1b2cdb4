import { layOutBars, niceCeiling } from '../logic/chart.js';
import classes from './sparkline.module.css';

const BOX = { width: 96, height: 20 };

export interface SparklineProps {
  /** Of what: "Letters by the hour". */
  readonly what: string;
  /** The latest last. */
  readonly values: readonly number[];
}

/** A trend at a glance; in words, how many in the latest and at most. */
export function Sparkline({ what, values }: SparklineProps) {
  const spans = values.map((value) => ({ minutes: 1, counted: true, value }));
  const most = Math.max(0, ...values);
  const label = `${what}, of the last ${values.length}: at most ${most}, latest ${values.at(-1) ?? 0}`;
  return (
    <svg className={classes.line} viewBox={`0 0 ${BOX.width} ${BOX.height}`} role="img" aria-label={label}>
      <title>{label}</title>
      {layOutBars(spans, niceCeiling(values), BOX).map(({ index, ...bar }) => (
        <rect key={index} {...bar} />
      ))}
      <path d={`M0 ${BOX.height - 0.5}H${BOX.width}`} />
    </svg>
  );
}
