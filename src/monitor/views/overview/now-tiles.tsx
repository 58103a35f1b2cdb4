import { Link } from 'wouter';
import { OVERVIEW_BOUNDS } from '../../data/paths.js';
import { usePart } from '../../data/stream.js';
import { formatCount, formatDuration, formatMeasured, formatRate } from '../../logic/format.js';
import { lagNote } from '../../logic/lag-note.js';
import { Tile, Tiles } from '../../parts/tile.js';
import { Age } from '../../parts/time.js';

/** The numbers of now. */
export function NowTiles() {
  return (
    <Tiles anchor="now">
      <RateTile />
      <LatencyTile />
      <LagTile />
      <RunTiles />
      <LettersTile />
    </Tiles>
  );
}

function RateTile() {
  const part = usePart('rate');
  const rate = part?.value ?? null;
  const note = rate === null ? undefined : `delivered, over ${formatDuration(rate.overSeconds * 1_000)}`;
  return <Tile label="Throughput" part={part} value={rate === null ? null : formatRate(rate.perSecond)} note={note} />;
}

function LatencyTile() {
  const part = usePart('rate');
  const rate = part?.value ?? null;
  const measured = rate !== null && rate.p95Ms !== null;
  const note = measured
    ? `p50 ${formatMeasured(rate.p50Ms)}, p99 ${formatMeasured(rate.p99Ms)}`
    : 'nothing was delivered in the last minute';
  return (
    <Tile
      label="Append to delivered, p95"
      part={part}
      value={measured ? formatMeasured(rate.p95Ms) : null}
      note={rate === null ? undefined : note}
    />
  );
}

function LagTile() {
  const part = usePart('backlog');
  const backlog = part?.value ?? null;
  const alerts = usePart('alerts')?.value ?? null;
  return (
    <Tile
      label="Lag"
      part={part}
      value={backlog === null ? null : formatDuration(backlog.lagSeconds * 1_000)}
      note={backlog === null ? undefined : lagNote(formatCount(backlog.due, OVERVIEW_BOUNDS.open), alerts)}
    />
  );
}

function RunTiles() {
  const part = usePart('runs');
  const runs = part?.value ?? null;
  const count = (value: number) => formatCount(value, OVERVIEW_BOUNDS.open);
  return (
    <>
      <Tile label="In flight" part={part} value={runs === null ? null : count(runs.inFlight)} note="events under way" />
      <Tile
        label="Retrying"
        part={part}
        value={runs === null ? null : formatCount(runs.retrying, runs.retryingAtLeast ? runs.retrying : undefined)}
        note="of these, failed before"
      />
    </>
  );
}

function LettersTile() {
  const part = usePart('letters');
  const letters = part?.value ?? null;
  const oldestAt = letters?.oldestAt ?? null;
  const note = (
    <>
      {oldestAt !== null && (
        <>
          oldest <Age at={oldestAt} />,{' '}
        </>
      )}
      <Link href="/dead-letters">look at them</Link>
    </>
  );
  return (
    <Tile
      label="Dead letters"
      part={part}
      value={letters === null ? null : formatCount(letters.open, OVERVIEW_BOUNDS.letters)}
      alarm={letters !== null && letters.open > 0}
      note={letters === null ? undefined : note}
    />
  );
}
