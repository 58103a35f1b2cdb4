import { Link } from 'wouter';
import { hasEpochs, type Step } from '../../logic/timeline.js';
import type { Tone } from '../../logic/words.js';
import { CodeAdvice, CodeName } from '../../parts/code-name.js';
import { Hostile } from '../../parts/hostile.js';
import { Icon } from '../../parts/icon.js';
import { RunLink } from '../../parts/run-link.js';
import { Age, Time } from '../../parts/time.js';
import classes from './timeline.module.css';

const TONES: Readonly<Record<Tone, string | undefined>> = {
  good: classes.good,
  bad: classes.bad,
  warn: classes.warn,
  info: classes.info,
  unknown: classes.unknown,
  quiet: classes.quiet,
};

export interface TimelineProps {
  readonly steps: readonly Step[];
  /** Of the policy that its run has; null: none, or not known. */
  readonly policyHash: string | null;
}

/** An event's way, the first step first. */
export function Timeline({ steps, policyHash }: TimelineProps) {
  const epochs = hasEpochs(steps);
  return (
    <>
      <ol className={classes.way} aria-label="The way of the event">
        {steps.map((step) => (
          <StepItem key={step.key} step={step} epochs={epochs} />
        ))}
      </ol>
      {policyHash !== null && (
        <p className="dim">
          Retried by the policy <Hostile text={policyHash} code /> (<Link href="/policies">policies</Link>).
        </p>
      )}
    </>
  );
}

function StepItem({ step, epochs }: { readonly step: Step; readonly epochs: boolean }) {
  const { at, title, tone, shape, epoch, told, code, run, letterId } = step;
  return (
    <li className={`${classes.step} ${TONES[tone]}`}>
      <span className={classes.sign}>
        <Icon name={shape} />
      </span>
      <div className={classes.body}>
        <p className={classes.title}>
          {letterId === null ? title : <Link href={`/dead-letters/${letterId}`}>{title}</Link>}
          {code !== null && (
            <>
              : <CodeName code={code} />
            </>
          )}
          {epochs && epoch !== null && <span className="dim"> (epoch {epoch})</span>}
        </p>
        {at !== null && (
          <p className="dim">
            <Time at={at} />, <Age at={at} />
          </p>
        )}
        {[...new Set(told)].map((text) => (
          <p key={text}>
            <Hostile text={text} />
          </p>
        ))}
        {run !== null && (
          <p>
            <RunLink workflowId={run.workflowId} url={run.url} />
          </p>
        )}
        {code !== null && (
          <details>
            <summary>What it means</summary>
            <CodeAdvice code={code} />
          </details>
        )}
      </div>
    </li>
  );
}
