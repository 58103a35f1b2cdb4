import { useState } from 'react';
import type { Simulation } from '../../data/types.js';
import { formatCount, formatDuration } from '../../logic/format.js';
import { ActButton } from '../../parts/act-button.js';
import { CodeName } from '../../parts/code-name.js';
import { DataTable } from '../../parts/data-table.js';
import { Absent } from '../../parts/hostile.js';

/** As many are in sight at first: a wait without end has a thousand. */
const SHOWN = 50;

/** The attempts of a simulation, and how it ends. */
export function SimulationResult({ simulation }: { readonly simulation: Simulation }) {
  const { attempts, finalCode, totalMs } = simulation;
  const [all, setAll] = useState(false);
  const shown = all ? attempts : attempts.slice(0, SHOWN);
  return (
    <>
      <p aria-live="polite">
        {finalCode === null ? (
          `It goes on without end; here are its first ${formatCount(attempts.length)} attempts.`
        ) : (
          <>
            {formatCount(attempts.length)} {attempts.length === 1 ? 'attempt' : 'attempts'} in {formatDuration(totalMs)}
            , then a dead letter with <CodeName code={finalCode} />.
          </>
        )}
      </p>
      <DataTable
        caption="Simulated attempts"
        rows={shown}
        idOf={({ attempt }) => String(attempt)}
        empty="None"
        columns={[
          { label: 'Attempt', numeric: true, cell: ({ attempt }) => attempt },
          { label: 'At', numeric: true, cell: ({ atMs }) => formatDuration(atMs) },
          {
            label: 'Next one after',
            numeric: true,
            cell: ({ delayMs }) => (delayMs === null ? <Absent /> : formatDuration(delayMs)),
          },
        ]}
      />
      {shown.length < attempts.length && (
        <div>
          <ActButton onClick={() => setAll(true)}>Show all {formatCount(attempts.length)}</ActButton>
        </div>
      )}
    </>
  );
}
