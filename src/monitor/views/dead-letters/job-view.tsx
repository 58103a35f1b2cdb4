import { useMutation, useQuery } from '@tanstack/react-query';
import { Link } from 'wouter';
import { REDRIVE_JOBS_PATH } from '../../data/paths.js';
import { below, jobQuery } from '../../data/queries.js';
import { queryClient } from '../../data/query-client.js';
import { postJson } from '../../data/request.js';
import { useSession } from '../../data/session-store.js';
import type { RedriveJob } from '../../data/types.js';
import { formatCount } from '../../logic/format.js';
import { progressOf } from '../../logic/job-progress.js';
import { diedSince } from '../../logic/letter-filter.js';
import { writeParams } from '../../logic/search-params.js';
import { JOB_WORDS } from '../../logic/words.js';
import { ActButton, VIEWER_WHY } from '../../parts/act-button.js';
import { ActError } from '../../parts/act-error.js';
import { useChangeSaid } from '../../parts/announcer.js';
import { Answer } from '../../parts/answer.js';
import { Card } from '../../parts/card.js';
import { Fact, Facts } from '../../parts/facts.js';
import { Hostile } from '../../parts/hostile.js';
import { Notice } from '../../parts/notice.js';
import { Status } from '../../parts/status.js';
import { Age, Time } from '../../parts/time.js';
import { ViewTitle } from '../../parts/view-title.js';
import classes from './job-view.module.css';

/** How far one redrive job is. */
export function JobView({ id }: { readonly id: string }) {
  const query = useQuery(jobQuery(id));
  return (
    <>
      <ViewTitle
        title={`Redrive job ${id.slice(0, 13)}…`}
        aside={query.data && <Status of={JOB_WORDS[query.data.state]} />}
      >
        <p>
          <Link href="/dead-letters/jobs">All jobs</Link>
        </p>
      </ViewTitle>
      <Answer query={query} what="The redrive job">
        {(job) => (
          <>
            <ProgressCard job={job} />
            <Card title="What it is">
              <JobFacts job={job} />
            </Card>
          </>
        )}
      </Answer>
    </>
  );
}

function ProgressCard({ job }: { readonly job: RedriveJob }) {
  const { may } = useSession();
  const { done, of } = progressOf(job);
  useChangeSaid(job.state, `The redrive job: ${JOB_WORDS[job.state].word}`);
  const cancel = useMutation({
    mutationFn: () => postJson<RedriveJob>(below(REDRIVE_JOBS_PATH, job.id, 'cancel'), {}),
    onSuccess: (ended) => queryClient.setQueryData(jobQuery(job.id).queryKey, ended),
  });
  return (
    <Card title="Progress">
      <progress className={classes.progress} aria-label="Letters that are through" value={done} max={Math.max(of, 1)} />
      <p className="numbers">
        {formatCount(done)} of {formatCount(of)}: {formatCount(job.redriven)} redriven, {formatCount(job.skipped)} not
        open any more when their turn came
      </p>
      {job.error !== null && (
        <Notice tone="bad">
          <p>
            Its last step failed, and is tried again: <Hostile text={job.error} />
          </p>
        </Notice>
      )}
      {job.looksAgainAt !== null && job.state === 'running' && (
        <p>
          All that stood is done. It looks once more <Age at={job.looksAgainAt} />, for letters that were being written.
        </p>
      )}
      {job.state === 'done' && (
        <p>
          Redriven is not delivered.{' '}
          <Link href={`/dead-letters${writeParams(diedSince(job.filter, job.createdAt))}`}>What has died since</Link>,
          of the same type, routing key and tenant, by whatever code.
        </p>
      )}
      {cancel.error !== null && <ActError error={cancel.error} refused="It is not cancelled" />}
      {job.state === 'running' && (
        <div>
          <ActButton
            why={may.changeDelivery ? null : VIEWER_WHY}
            busy={cancel.isPending}
            onClick={() => cancel.mutate()}
          >
            Cancel the job
          </ActButton>
        </div>
      )}
    </Card>
  );
}

function JobFacts({ job }: { readonly job: RedriveJob }) {
  const filter = Object.entries(job.filter).filter((entry) => entry[1] !== null);
  return (
    <Facts>
      <Fact name="Id">
        <Hostile text={job.id} code />
      </Fact>
      <Fact name="By">
        <Hostile text={job.actor} />
      </Fact>
      <Fact name="Reason">
        <Hostile text={job.reason} />
      </Fact>
      <Fact name="Filter">
        {filter.length === 0 ? (
          'every open letter'
        ) : (
          <ul>
            {filter.map(([name, value]) => (
              <li key={name}>
                <span className="dim">{name}</span> <Hostile text={value} code />
              </li>
            ))}
          </ul>
        )}
      </Fact>
      <Fact name="Rate">{formatCount(job.rate)} letters a second at most</Fact>
      <Fact name="At most">{job.cap === null ? 'every one' : formatCount(job.cap)}</Fact>
      <Fact name="Made">
        <Time at={job.createdAt} />
      </Fact>
      <Fact name="Ended">
        <Time at={job.endedAt} />
      </Fact>
      {job.endedBy !== null && (
        <Fact name="Cancelled by">
          <Hostile text={job.endedBy} />
        </Fact>
      )}
    </Facts>
  );
}
