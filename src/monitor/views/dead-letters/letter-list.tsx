import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { IDS_AT_ONCE } from '../../data/paths.js';
import { lettersQuery } from '../../data/queries.js';
import { useSession } from '../../data/session-store.js';
import type { LetterSummary } from '../../data/types.js';
import { useSteady } from '../../data/use-steady.js';
import { type Choice, chosenOf } from '../../logic/chosen-letters.js';
import { type LetterFilterName, toLetterFilter } from '../../logic/letter-filter.js';
import type { Params } from '../../logic/search-params.js';
import { LETTER_STATE_WORDS, type LetterState } from '../../logic/words.js';
import { ActButton, VIEWER_WHY } from '../../parts/act-button.js';
import { Answer } from '../../parts/answer.js';
import { FreshBar } from '../../parts/fresh-bar.js';
import { Pager } from '../../parts/pager.js';
import { JobDialog } from './job-dialog.js';
import classes from './letter-list.module.css';
import { LetterTable } from './letter-table.js';
import { SeveralDialog, type SeveralVerb } from './several-dialog.js';

export interface LetterListProps {
  readonly filter: Params<LetterFilterName>;
  readonly state: LetterState;
  readonly before: string | undefined;
  /** Where the first page is; null: this is it. */
  readonly newest: string | null;
  readonly olderThan: (next: string) => string;
}

const NONE: ReadonlySet<string> = new Set();
const NOT_READ = 'The letters of this list are not read yet';

/** A page of letters, and what is done to those that somebody chose. */
export function LetterList({ filter, state, before, newest, olderThan }: LetterListProps) {
  const asked = { ...toLetterFilter(filter), state, before };
  const query = useQuery(lettersQuery(asked));
  const latest = query.isPlaceholderData ? undefined : query.data?.items;
  const list = JSON.stringify(asked);
  const steady = useSteady(list, latest, ({ id }) => id, query.data?.next === null);
  // Of what is not there yet nothing can be chosen, whatever is still in sight of another page.
  const shown = latest === undefined ? [] : steady.items.filter(({ id }) => !steady.gone.has(id));
  const [choice, setChoice] = useState<Choice | null>(null);
  const chosen = chosenOf(choice, list, shown);
  const setChosen = (ids: ReadonlySet<string>) => setChoice({ list, ids });
  return (
    <>
      {state === 'open' && (
        <Acts
          filter={filter}
          shown={shown}
          whyNotYet={latest === undefined ? NOT_READ : null}
          chosen={chosen}
          onChoose={setChosen}
          onDone={() => {
            setChosen(NONE);
            void query.refetch();
          }}
        />
      )}
      <Answer query={query} what="The dead letters">
        {({ next }) => (
          <>
            <FreshBar of={steady} what="dead letters" />
            <LetterTable
              letters={steady.items}
              gone={steady.gone}
              empty={`None is ${LETTER_STATE_WORDS[state].word.toLowerCase()} and fits.`}
              chosen={state === 'open' ? chosen : null}
              frozen={latest === undefined}
              onChoose={setChosen}
            />
            <Pager
              newest={newest}
              older={next === null ? null : olderThan(next)}
              asOf={before === undefined ? null : query.dataUpdatedAt}
            />
          </>
        )}
      </Answer>
    </>
  );
}

interface ActsProps {
  readonly filter: Params<LetterFilterName>;
  readonly shown: readonly LetterSummary[];
  /** Why none can be chosen yet; null: they can. */
  readonly whyNotYet: string | null;
  readonly chosen: ReadonlySet<string>;
  readonly onChoose: (chosen: ReadonlySet<string>) => void;
  readonly onDone: () => void;
}

type Asked = { readonly kind: SeveralVerb; readonly ids: readonly string[] } | { readonly kind: 'job' };

function Acts({ filter, shown, whyNotYet, chosen, onChoose, onDone }: ActsProps) {
  const { may } = useSession();
  const [asked, setAsked] = useState<Asked | null>(null);
  const why = may.changeDelivery ? null : VIEWER_WHY;
  const whyNotChosen = why ?? whyNotYet ?? whyNot(chosen.size);
  const close = () => setAsked(null);
  const ask = (kind: SeveralVerb) => setAsked({ kind, ids: [...chosen] });
  return (
    <div className={classes.acts}>
      <ActButton
        why={why ?? whyNotYet}
        onClick={() => onChoose(new Set(shown.slice(0, IDS_AT_ONCE).map(({ id }) => id)))}
      >
        Select all shown
      </ActButton>
      <ActButton redrive primary={chosen.size > 0} why={whyNotChosen} onClick={() => ask('redrive')}>
        Redrive selected ({chosen.size})
      </ActButton>
      <ActButton why={whyNotChosen} onClick={() => ask('discard')}>
        Discard selected ({chosen.size})
      </ActButton>
      <ActButton why={why} onClick={() => setAsked({ kind: 'job' })}>
        Redrive all that fit the filter
      </ActButton>
      {why !== null && <span className="dim">{why}.</span>}
      {asked?.kind === 'job' && <JobDialog filter={filter} onClose={close} />}
      {asked !== null && asked.kind !== 'job' && (
        <SeveralDialog verb={asked.kind} ids={asked.ids} onDone={onDone} onClose={close} />
      )}
    </div>
  );
}

function whyNot(chosen: number): string | null {
  if (chosen === 0) return 'Select letters first';
  return chosen > IDS_AT_ONCE ? `Select ${IDS_AT_ONCE} at most; more go by the filter` : null;
}
