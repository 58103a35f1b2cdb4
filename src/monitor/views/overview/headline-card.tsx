import { Link } from 'wouter';
import type { OverviewPartName } from '../../../contract/overview-api.js';
import { judgeOverview, PART_NAMES } from '../../../contract/verdict.js';
import { useLink, useParts } from '../../data/stream.js';
import { withLocalTimes } from '../../logic/format.js';
import { capital, headlineOf } from '../../logic/headline.js';
import { LEVEL_WORDS, type Tone } from '../../logic/words.js';
import { useChangeSaid } from '../../parts/announcer.js';
import { Hostile } from '../../parts/hostile.js';
import { Status } from '../../parts/status.js';
import classes from './headline-card.module.css';

const LOOKS: Readonly<Partial<Record<Tone, string | undefined>>> = {
  good: classes.good,
  bad: classes.bad,
  warn: classes.warn,
  unknown: classes.unknown,
};

/** Where a person goes on from a concern: a view, or a part of this one. */
const LEADS_TO: Readonly<Record<OverviewPartName, string>> = {
  letters: '/dead-letters',
  seal: '/audit/log',
  verification: '/audit/log',
  outboxDatabase: '#parts',
  auditDatabase: '#parts',
  processes: '#processes',
  destinations: '#destinations',
  books: '#books',
  alerts: '#alerts',
  backlog: '#now',
  runs: '#now',
  rate: '#now',
};

/** One sentence: is it well, and if not, what is worst. Below it each concern. */
export function HeadlineCard() {
  const parts = useParts();
  const { stale } = useLink();
  const verdict = judgeOverview([...parts.values()]);
  const headline = headlineOf(verdict, { none: parts.size === 0, stale });
  const sentence = withLocalTimes(headline.sentence);
  const word = LEVEL_WORDS[headline.level];
  // A change of level is said, by whatever sentence it has then; that numbers of the sentence change, is not.
  useChangeSaid(headline.level, `${word.word}: ${sentence}`);
  return (
    <section className={`${classes.headline} ${LOOKS[word.tone] ?? ''}`} aria-label="How it stands">
      <div className={classes.line}>
        <Status of={word} />
        <p className={classes.sentence}>
          <Hostile text={sentence} />
        </p>
      </div>
      {headline.concerns.length > 1 && (
        <ul className={classes.concerns}>
          {headline.concerns.map(({ level, part, sentence: concern }) => (
            <li key={`${part} ${concern}`} className={classes.concern}>
              <Status of={LEVEL_WORDS[level]} />
              <ConcernLink part={part}>{capital(withLocalTimes(concern))}</ConcernLink>
            </li>
          ))}
        </ul>
      )}
      {parts.size > 0 && verdict.notLookedAt.length > 0 && (
        <p className="dim">
          Of these nothing is told here: {verdict.notLookedAt.map((name) => PART_NAMES[name]).join(', ')}.
        </p>
      )}
    </section>
  );
}

function ConcernLink({ part, children }: { readonly part: OverviewPartName; readonly children: string }) {
  const to = LEADS_TO[part];
  const text = <Hostile text={children} />;
  return to.startsWith('#') ? <a href={to}>{text}</a> : <Link href={to}>{text}</Link>;
}
