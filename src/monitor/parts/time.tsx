import { useServerNow } from '../data/stream.js';
import { formatAge, formatTime, formatUtc } from '../logic/format.js';
import { Absent } from './hostile.js';

/** Local, with its zone; as UTC for whoever points at it. null: there is none. */
export function Time({ at }: { readonly at: string | null }) {
  if (at === null) return <Absent />;
  return (
    <time dateTime={at} title={formatUtc(at)} className="numbers">
      {formatTime(at)}
    </time>
  );
}

/** How long ago, by the server's clock. */
export function Age({ at }: { readonly at: string | null }) {
  const now = useServerNow();
  if (at === null) return <Absent />;
  return (
    <time dateTime={at} title={`${formatTime(at)}, ${formatUtc(at)}`} className="numbers">
      {formatAge(at, now)}
    </time>
  );
}
