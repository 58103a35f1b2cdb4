import type { Logger } from './ports.js';

export interface NoteUnknownTypesDeps {
  readonly log: Logger;
  readonly count: (counter: 'unknown_event_types') => void;
}

/** Types are the producers' to choose; one that puts an id into them must not fill the memory or the log. */
const MAY_REMEMBER = 200;

/** Counts every event of a type that the audit mapping does not know; says so once for each type, for 200 types. */
export function noteUnknownTypes({ log, count }: NoteUnknownTypesDeps): (eventType: string) => void {
  const told = new Set<string>();
  return (eventType) => {
    count('unknown_event_types');
    if (told.has(eventType) || told.size >= MAY_REMEMBER) return;
    told.add(eventType);
    const mend = 'audited as category "other"; give it one by a mapper for the event name';
    log.warn({ eventType, mend }, 'audit.unknown_event_type');
  };
}
