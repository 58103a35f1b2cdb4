import { Link } from 'wouter';
import { ERROR_CODES } from '../../../domain/delivery/error-catalog.js';
import { useSession } from '../../data/session-store.js';
import { useAddress } from '../../data/use-address.js';
import { LETTER_FILTER, type LetterFilterName } from '../../logic/letter-filter.js';
import { LETTER_STATE_WORDS, LETTER_STATES, type LetterState } from '../../logic/words.js';
import { Card } from '../../parts/card.js';
import { Choice } from '../../parts/choice.js';
import { FilterBar, type FilterField } from '../../parts/filter-bar.js';
import { ViewTitle } from '../../parts/view-title.js';
import { NOT_STORED } from '../../parts/views.js';
import { KindsCard } from './kinds-card.js';
import { LetterList } from './letter-list.js';

const NAMES = [...LETTER_FILTER, 'state', 'before'] as const;

const FIELDS: readonly FilterField<LetterFilterName>[] = [
  { kind: 'text', name: 'type', label: 'Event type' },
  { kind: 'select', name: 'code', label: 'Code', options: ERROR_CODES.map((code) => [code, code] as const) },
  { kind: 'text', name: 'destination', label: 'Routing key' },
];
const MORE: readonly FilterField<LetterFilterName>[] = [
  { kind: 'tenant', name: 'tenantId', label: 'Tenant' },
  { kind: 'time', name: 'since', label: 'Written from' },
  { kind: 'time', name: 'until', label: 'Written before' },
  { kind: 'text', name: 'text', label: 'With the text', hint: 'Needs a time from, 31 days at most' },
  { kind: 'text', name: 'outageId', label: 'Of the outage' },
];
const STATES = LETTER_STATES.map((state) => [state, LETTER_STATE_WORDS[state].word] as const);

/** What died: which kinds there are, the letters of each, and what can be done about them. */
export function LettersView() {
  const { tenantId, may } = useSession();
  const { params, go, to } = useAddress(NAMES);
  const { state = 'open', before, ...filter } = params;
  const shown = LETTER_STATES.find((one) => one === state) ?? 'open';
  const withState = shown === 'open' ? {} : { state: shown };
  return (
    <>
      <ViewTitle
        title="Dead letters"
        aside={
          <>
            {!may.readRecords && <Link href={NOT_STORED}>Not stored in the audit log</Link>}
            <Link href="/dead-letters/jobs">Redrive jobs</Link>
          </>
        }
      />
      <KindsCard filter={filter} to={to} />
      <Card
        title="Letters"
        aside={
          <Choice<LetterState>
            legend="State"
            options={STATES}
            value={shown}
            onChange={(next) => go({ ...filter, ...(next === 'open' ? {} : { state: next }) })}
          />
        }
      >
        <FilterBar
          what="Dead letters"
          fields={FIELDS}
          more={tenantId === null ? MORE : MORE.filter(({ name }) => name !== 'tenantId')}
          params={params}
          onFilter={(next) => go({ ...next, ...withState })}
        />
        <LetterList
          filter={filter}
          state={shown}
          before={before}
          newest={before === undefined ? null : to({ ...filter, ...withState })}
          olderThan={(next) => to({ ...filter, ...withState, before: next })}
        />
      </Card>
    </>
  );
}
