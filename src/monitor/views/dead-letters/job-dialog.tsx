import { Button, TextInput } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useLocation } from 'wouter';
import { useClock } from '../../data/clock.js';
import { REDRIVE_JOBS_PATH } from '../../data/paths.js';
import { COUNTS_WITHIN_MS, postJson } from '../../data/request.js';
import type { RedriveCount, RedriveJob } from '../../data/types.js';
import { formatCount } from '../../logic/format.js';
import { takenBy } from '../../logic/job-progress.js';
import { type LetterFilterName, toLetterFilter } from '../../logic/letter-filter.js';
import type { Params } from '../../logic/search-params.js';
import { announce } from '../../parts/announcer.js';
import { Answer } from '../../parts/answer.js';
import { CodeName } from '../../parts/code-name.js';
import { DataTable } from '../../parts/data-table.js';
import { Dialog } from '../../parts/dialog.js';
import { Hostile } from '../../parts/hostile.js';
import { Notice } from '../../parts/notice.js';
import { WordForm } from '../../parts/word-form.js';
import classes from './job-dialog.module.css';
import { REDRIVE_MEANS } from './several-dialog.js';

export interface JobDialogProps {
  readonly filter: Params<LetterFilterName>;
  readonly onClose: () => void;
}

/** What was counted longer ago is counted again before anything is done by it. */
const COUNT_HOLDS_MS = 60_000;
const COUNT_AGAIN = 'Count again: this was more than a minute ago';
const COUNTING = 'They are being counted';
/** Of a dry run none is kept, and one is asked for. */
const DRY_REASON = 'count';

/** Redrives all that fit a filter: counted first, then as a job that a relay runs. */
export function JobDialog({ filter, onClose }: JobDialogProps) {
  const asked = toLetterFilter(filter);
  const query = useQuery({
    queryKey: ['redrive-count', asked],
    queryFn: ({ signal }) => postJob<RedriveCount>({ filter: asked, reason: DRY_REASON, dryRun: true }, { signal }),
    // What took so long, or had no room, takes no less at once: whoever wants to know asks again.
    retry: false,
    gcTime: 0,
    staleTime: Number.POSITIVE_INFINITY,
    refetchOnWindowFocus: false,
  });
  const old = useClock() - query.dataUpdatedAt > COUNT_HOLDS_MS;
  const why = query.isFetching ? COUNTING : old ? COUNT_AGAIN : null;
  const again = () => void query.refetch();
  return (
    <Dialog title="Redrive all that fit the filter" onClose={onClose}>
      <FilterWords filter={asked} />
      <Answer query={query} what="How many they are">
        {(count) => (
          <>
            <Counted count={count} onAgain={again} />
            {count.count > 0 && <JobForm filter={asked} count={count.count} why={why} onNone={again} />}
          </>
        )}
      </Answer>
    </Dialog>
  );
}

/** They are counted by either: to be told how many they are, and before a job is made of them. */
function postJob<Answer>(body: object, more: { readonly signal?: AbortSignal } = {}): Promise<Answer> {
  return postJson<Answer>(REDRIVE_JOBS_PATH, body, { ...more, withinMs: COUNTS_WITHIN_MS });
}

function FilterWords({ filter }: { readonly filter: Readonly<Record<string, string>> }) {
  const words = Object.entries(filter);
  if (words.length === 0) return <Notice tone="warn">There is no filter: these are all open letters.</Notice>;
  return (
    <ul>
      {words.map(([name, value]) => (
        <li key={name}>
          <span className="dim">{name}</span> <Hostile text={value} code />
        </li>
      ))}
    </ul>
  );
}

interface CountedProps {
  readonly count: RedriveCount;
  readonly onAgain: () => void;
}

function Counted({ count: { count, edited, groups }, onAgain }: CountedProps) {
  return (
    <>
      <div className={classes.line}>
        <strong>
          {formatCount(count)} open {count === 1 ? 'letter' : 'letters'}
        </strong>
        <Button variant="default" onClick={onAgain}>
          Count again
        </Button>
      </div>
      {edited > 0 && <p>{formatCount(edited)} with an edited payload are left out: those are redriven by their ids.</p>}
      {groups.length > 0 && (
        <DataTable
          caption="What they are"
          rows={groups}
          idOf={(group) => JSON.stringify([group.destination, group.eventType, group.code])}
          empty="None"
          columns={[
            { label: 'Routing key', cell: ({ destination }) => <Hostile text={destination} /> },
            { label: 'Type', cell: ({ eventType }) => <Hostile text={eventType} /> },
            { label: 'Code', cell: ({ code }) => <CodeName code={code} /> },
            { label: 'Letters', numeric: true, cell: (group) => formatCount(group.count) },
          ]}
        />
      )}
    </>
  );
}

interface JobFormProps {
  readonly filter: Readonly<Record<string, string>>;
  readonly count: number;
  readonly why: string | null;
  /** Meanwhile none is open that fits. */
  readonly onNone: () => void;
}

function JobForm({ filter, count, why, onNone }: JobFormProps) {
  const [, navigate] = useLocation();
  const [rate, setRate] = useState('50');
  // null: as many as are counted, whatever the next count says.
  const [typedCap, setTypedCap] = useState<string | null>(null);
  const cap = typedCap ?? String(count);
  const taken = takenBy(count, cap);
  const act = useMutation({
    mutationFn: (reason: string) =>
      postJob<RedriveJob | RedriveCount>({
        filter,
        reason,
        rate: Number(rate),
        ...(cap.trim() === '' ? {} : { cap: Number(cap) }),
      }),
    onSuccess: (answer) => {
      if (!('id' in answer)) return onNone();
      navigate(`/dead-letters/jobs/${answer.id}`);
      announce('The redrive job is made');
    },
  });
  const wrong = wrongOf(rate, cap);
  return (
    <WordForm
      act={cap.trim() === '' ? `Redrive all, ${formatCount(taken)} now` : `Redrive ${formatCount(taken)}`}
      count={taken}
      why={why ?? wrong}
      busy={act.isPending}
      error={act.error}
      refused="No job is made"
      look="look at the redrive jobs before you try again"
      onWord={act.mutate}
    >
      <p>{REDRIVE_MEANS}</p>
      <div className={classes.fields}>
        <TextInput
          label="Letters a second"
          inputMode="numeric"
          autoComplete="off"
          value={rate}
          onChange={(event) => setRate(event.currentTarget.value)}
        />
        <TextInput
          label="At most"
          description="Left empty: every one that fits by then"
          inputMode="numeric"
          autoComplete="off"
          value={cap}
          onChange={(event) => setTypedCap(event.currentTarget.value)}
        />
      </div>
    </WordForm>
  );
}

function wrongOf(rate: string, cap: string): string | null {
  if (!/^\d{1,4}$/.test(rate) || Number(rate) < 1 || Number(rate) > 1_000) return 'Expected 1 to 1000 letters a second';
  if (cap.trim() !== '' && !/^[1-9]\d{0,7}$/.test(cap.trim())) return 'Expected a whole number of letters at most';
  return null;
}
