import { useQuery } from '@tanstack/react-query';
import { Link } from 'wouter';
import { jobsQuery } from '../../data/queries.js';
import { useAddress } from '../../data/use-address.js';
import { useSteady } from '../../data/use-steady.js';
import { formatCount } from '../../logic/format.js';
import { progressOf } from '../../logic/job-progress.js';
import { JOB_WORDS } from '../../logic/words.js';
import { Answer } from '../../parts/answer.js';
import { Card } from '../../parts/card.js';
import { DataTable, RowLink } from '../../parts/data-table.js';
import { FreshBar } from '../../parts/fresh-bar.js';
import { Hostile } from '../../parts/hostile.js';
import { Pager } from '../../parts/pager.js';
import { Status } from '../../parts/status.js';
import { Time } from '../../parts/time.js';
import { ViewTitle } from '../../parts/view-title.js';

const NAMES = ['before'] as const;

/** Redrives by filter, the newest first. */
export function JobsView() {
  const { params, to } = useAddress(NAMES);
  const query = useQuery(jobsQuery(params));
  const latest = query.isPlaceholderData ? undefined : query.data?.items;
  const steady = useSteady(JSON.stringify(params), latest, ({ id }) => id, query.data?.next === null);
  return (
    <>
      <ViewTitle title="Redrive jobs">
        <p>
          <Link href="/dead-letters">Dead letters</Link>
        </p>
      </ViewTitle>
      <Card title="Jobs">
        <Answer query={query} what="The redrive jobs">
          {({ next }) => (
            <>
              <FreshBar of={steady} what="redrive jobs" />
              <DataTable
                caption="Redrive jobs"
                rows={steady.items}
                gone={steady.gone}
                idOf={({ id }) => id}
                empty="None was ever made."
                columns={[
                  { label: 'Made', cell: ({ id, createdAt }) => <Made id={id} createdAt={createdAt} /> },
                  { label: 'State', cell: ({ state }) => <Status of={JOB_WORDS[state]} /> },
                  { label: 'Done', numeric: true, cell: (job) => done(progressOf(job)) },
                  { label: 'Redriven', numeric: true, cell: ({ redriven }) => formatCount(redriven) },
                  { label: 'Rate', numeric: true, cell: ({ rate }) => `${formatCount(rate)} /s` },
                  { label: 'By', cell: ({ actor }) => <Hostile text={actor} /> },
                  { label: 'Reason', cell: ({ reason }) => <Hostile text={reason} /> },
                ]}
              />
              <Pager
                newest={params.before === undefined ? null : to({})}
                older={next === null ? null : to({ before: next })}
                asOf={params.before === undefined ? null : query.dataUpdatedAt}
              />
            </>
          )}
        </Answer>
      </Card>
    </>
  );
}

function done({ done: through, of }: { readonly done: number; readonly of: number }): string {
  return `${formatCount(through)} of ${formatCount(of)}`;
}

function Made({ id, createdAt }: { readonly id: string; readonly createdAt: string }) {
  return (
    <RowLink to={`/dead-letters/jobs/${id}`}>
      <Time at={createdAt} />
    </RowLink>
  );
}
