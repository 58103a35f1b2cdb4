import { NativeSelect } from '@mantine/core';
import type { Policy } from '../../data/types.js';
import { describeBackoff } from '../../logic/backoff-words.js';
import { formatDuration } from '../../logic/format.js';
import { Card } from '../../parts/card.js';
import { CodeName, Prose } from '../../parts/code-name.js';
import { DataTable } from '../../parts/data-table.js';
import { Fact, Facts } from '../../parts/facts.js';
import { Absent } from '../../parts/hostile.js';

export interface ExplainProps {
  readonly policies: readonly Policy[];
  readonly type: string;
  readonly onType: (type: string) => void;
}

type Rule = Policy['rules'][number];

const FROM_WORDS: Readonly<Record<Policy['backoff']['from'] | Rule['from'], string>> = {
  type: 'said for this type',
  everyone: 'said for all (*)',
  default: 'the default',
  catalogue: 'the catalogue of errors',
};
const KIND_WORDS: Readonly<Record<Rule['kind'], string>> = {
  retry: 'tried again',
  wait: 'waits, spends nothing',
  final: 'ends it',
};

/** Each value of a type's policy, and where it comes from; what follows each code. */
export function Explain({ policies, type, onType }: ExplainProps) {
  const policy = policies.find(({ eventType }) => eventType === type) ?? policies[0];
  if (policy === undefined) return <p className="dim">There is no policy.</p>;
  const { maxAttempts, deadlineMs, backoff, rules } = policy;
  return (
    <Card
      title="What follows a failure, and why"
      aside={
        <NativeSelect
          aria-label="Event type"
          data={policies.map(({ eventType }) => eventType)}
          value={policy.eventType}
          onChange={(event) => onType(event.currentTarget.value)}
        />
      }
    >
      <Facts>
        <Fact name="Attempts">
          {maxAttempts.value} <From from={maxAttempts.from} />
        </Fact>
        <Fact name="Deadline">
          {formatDuration(deadlineMs.value)} <From from={deadlineMs.from} />
        </Fact>
        <Fact name="Next attempt">
          {describeBackoff(backoff.value)} <From from={backoff.from} />
        </Fact>
      </Facts>
      <DataTable
        caption="What follows each code"
        rows={rules}
        idOf={({ code }) => code}
        empty="None"
        columns={[
          { label: 'Code', cell: (rule) => <Code rule={rule} /> },
          { label: 'Then', cell: ({ kind }) => KIND_WORDS[kind] },
          { label: 'Attempts', numeric: true, cell: (rule) => attemptsOf(rule) ?? <Absent /> },
          { label: 'Next attempt', cell: (rule) => nextOf(rule) ?? <Absent /> },
          { label: 'Retry-After', cell: ({ honoursRetryAfter }) => (honoursRetryAfter ? 'honoured' : <Absent />) },
          { label: 'From', cell: ({ from }) => FROM_WORDS[from] },
        ]}
      />
    </Card>
  );
}

function From({ from }: { readonly from: keyof typeof FROM_WORDS }) {
  return <span className="dim">({FROM_WORDS[from]})</span>;
}

function Code({ rule: { code, when, advice } }: { readonly rule: Rule }) {
  return (
    <details>
      <summary>
        <CodeName code={code} />
      </summary>
      <p>
        <Prose text={when} />
      </p>
      <p>
        <strong>What to do:</strong> <Prose text={advice} />
      </p>
    </details>
  );
}

function attemptsOf({ kind, attempts }: Rule): string | null {
  if (kind !== 'retry') return null;
  return attempts === null ? "the policy's" : String(attempts);
}

function nextOf({ kind, backoff }: Rule): string | null {
  if (kind === 'final') return null;
  return backoff === null ? "the policy's" : describeBackoff(backoff);
}
