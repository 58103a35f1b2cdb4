import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { Figures, FigureWindow } from '../../../contract/overview-api.js';
import { FIGURE_WINDOWS } from '../../data/paths.js';
import { figuresQuery } from '../../data/queries.js';
import { usePart } from '../../data/stream.js';
import { percentiles, perMinute } from '../../logic/figure-spans.js';
import { formatAmount, formatCount, formatDuration, formatLatency, formatShare } from '../../logic/format.js';
import { Answer } from '../../parts/answer.js';
import { Card } from '../../parts/card.js';
import { Choice } from '../../parts/choice.js';
import { Fact, Facts } from '../../parts/facts.js';
import { Notice } from '../../parts/notice.js';
import { Time } from '../../parts/time.js';
import { TimeChart } from '../../parts/time-chart.js';
import { Breakdown } from './breakdown.js';
import classes from './figures-card.module.css';

const LABELS: Readonly<Record<FigureWindow, string>> = { '15m': '15 minutes', '1h': '1 hour', '24h': '24 hours' };
const OPTIONS = FIGURE_WINDOWS.map((window) => [window, LABELS[window]] as const);

/** What was settled in a while. */
export function FiguresCard() {
  const [chosen, setChosen] = useState<FigureWindow>('15m');
  const query = useQuery(figuresQuery(chosen));
  return (
    <Card
      title="Delivered over time"
      aside={<Choice legend="Over how long" options={OPTIONS} value={chosen} onChange={setChosen} />}
    >
      <Answer query={query} what="The figures">
        {(figures) => <WindowFigures figures={figures} />}
      </Answer>
    </Card>
  );
}

function WindowFigures({ figures }: { readonly figures: Figures }) {
  const { missingMinutes, series } = figures;
  const rate = usePart('rate');
  const died = perMinute(series, 'died');
  return (
    <>
      {missingMinutes > 0 && (
        <Notice tone="unknown">
          <p>
            {formatCount(missingMinutes)} {missingMinutes === 1 ? 'minute is' : 'minutes are'} not counted: no relay was
            there to do it, one is still making up for it, or the database did not do it in time. They are in no sum.
          </p>
        </Notice>
      )}
      <Sums figures={figures} />
      <TimeChart
        title="Delivered a minute"
        kind="bars"
        tone="accent"
        spans={perMinute(series, 'delivered')}
        format={formatAmount}
      />
      {died.some(({ value }) => value !== null && value > 0) && (
        <TimeChart title="Died a minute" kind="bars" tone="bad" spans={died} format={formatAmount} />
      )}
      <TimeChart
        title="Append to delivered, p95"
        kind="line"
        tone="accent"
        spans={percentiles(series)}
        format={formatLatency}
        formatScale={formatDuration}
      />
      <Breakdown figures={figures} rate={rate === null || rate.state === 'away' ? null : rate.value} />
    </>
  );
}

function Sums({ figures: { total, since, until } }: { readonly figures: Figures }) {
  return (
    <div className={classes.sums}>
      <Facts>
        <Fact name="Delivered">{formatCount(total.delivered)}</Fact>
        <Fact name="Died">{formatCount(total.died)}</Fact>
        <Fact name="Success">{formatShare(total.successRate)}</Fact>
      </Facts>
      <Facts>
        <Fact name="p50">{formatLatency(total.p50Ms)}</Fact>
        <Fact name="p95">{formatLatency(total.p95Ms)}</Fact>
        <Fact name="p99">{formatLatency(total.p99Ms)}</Fact>
      </Facts>
      <Facts>
        <Fact name="From">
          <Time at={since} />
        </Fact>
        <Fact name="To">
          <Time at={until} />
        </Fact>
        <Fact name="Measured">{total.sampled ? 'a part of the deliveries' : 'every delivery'}</Fact>
      </Facts>
    </div>
  );
}
