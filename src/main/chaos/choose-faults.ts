/** Which faults a run is of, from what was asked. A name that nobody knows is refused before anything is started. */
import type { Fault } from './ports.js';

/** @throws RangeError with what was expected and what came */
export function chooseFaults(asked: string | undefined, known: readonly Fault[]): readonly Fault[] {
  if (asked === undefined) return known.filter(({ weight }) => weight > 0);
  if (asked === 'none') return [];
  if (asked === 'all') return known;
  const ids = [...new Set(asked.split(',').map((id) => id.trim().toUpperCase()))];
  const byId = new Map(known.map((fault) => [fault.id as string, fault]));
  const unknown = ids.filter((id) => !byId.has(id));
  if (unknown.length > 0) {
    throw new RangeError(
      `expected some of ${known.map(({ id }) => id).join(', ')}, or none, or all; got ${unknown.join(', ')}`,
    );
  }
  return ids.map((id) => byId.get(id) as Fault);
}

/** One line each, for a list. */
export function describeFault({ id, title, needs, weight }: Fault): string {
  const notes = [
    ...(needs === 'servers' ? ['needs servers of its own'] : []),
    ...(weight === 0 ? ['only where it is asked for'] : []),
  ];
  return `${id.padEnd(4)}${title}${notes.length === 0 ? '' : ` (${notes.join('; ')})`}`;
}
