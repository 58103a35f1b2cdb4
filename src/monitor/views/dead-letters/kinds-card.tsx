import { useQuery } from '@tanstack/react-query';
import { letterKindsQuery } from '../../data/queries.js';
import type { LetterKinds } from '../../data/types.js';
import { useSteady } from '../../data/use-steady.js';
import { formatCount } from '../../logic/format.js';
import { type LetterFilterName, toLetterFilter } from '../../logic/letter-filter.js';
import type { Params } from '../../logic/search-params.js';
import { Answer } from '../../parts/answer.js';
import { Card } from '../../parts/card.js';
import { CodeName } from '../../parts/code-name.js';
import { DataTable, RowLink } from '../../parts/data-table.js';
import { FreshBar } from '../../parts/fresh-bar.js';
import { Hostile } from '../../parts/hostile.js';
import { Sparkline } from '../../parts/sparkline.js';
import { Age } from '../../parts/time.js';

type Kind = LetterKinds['items'][number];

export interface KindsCardProps {
  readonly filter: Params<LetterFilterName>;
  readonly to: (params: Params<LetterFilterName>) => string;
}

/** Triage: open letters by event type and code, the most first. */
export function KindsCard({ filter, to }: KindsCardProps) {
  const { tenantId, destination, since, until, text, outageId } = filter;
  // What kinds are counted by, and so what leads from a count to its letters.
  const counted = { tenantId, destination };
  const asked = toLetterFilter(counted);
  const narrower = [since, until, text, outageId].some((value) => value !== undefined);
  const query = useQuery(letterKindsQuery(asked));
  const latest = query.isPlaceholderData ? undefined : query.data?.items;
  const steady = useSteady(JSON.stringify(asked), latest, kindId, query.data?.more === false);
  return (
    <Card title="Open letters by kind">
      <Answer query={query} what="The kinds">
        {({ more }) => (
          <>
            <FreshBar of={steady} what="kinds" />
            <DataTable
              caption="Open dead letters by kind"
              rows={steady.items}
              gone={steady.gone}
              idOf={kindId}
              empty="No letter is open."
              columns={[
                {
                  label: 'Kind',
                  cell: ({ eventType, code }) => (
                    <RowLink to={to({ ...counted, type: eventType, code })}>
                      <Hostile text={eventType} /> × <CodeName code={code} />
                    </RowLink>
                  ),
                },
                { label: 'Letters', numeric: true, cell: ({ count }) => formatCount(count) },
                { label: 'First', cell: ({ first }) => <Age at={first} /> },
                { label: 'Last', cell: ({ last }) => <Age at={last} /> },
                { label: 'Last 24 hours', cell: ({ perHour }) => <Sparkline what="By the hour" values={perHour} /> },
                { label: 'Routing keys', cell: ({ destinations }) => <Hostile text={destinations.join(', ')} /> },
              ]}
            />
            {narrower && <p className="dim">Of all times: of the filter only routing key and tenant hold here.</p>}
            {more && <p className="dim">There are more kinds than these 200: filter by routing key or tenant.</p>}
          </>
        )}
      </Answer>
    </Card>
  );
}

function kindId({ eventType, code }: Kind): string {
  return JSON.stringify([eventType, code]);
}
