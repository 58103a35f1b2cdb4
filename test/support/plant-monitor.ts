/**
 * An outbox and its audit log in which everything stands that the monitor can show, planted as rows: no relay and no worker
 * has to run. It and what it imports take types only from elsewhere, so that Node runs it as it is, too.
 */
import type { Pool } from 'pg';
import { plantEvents } from './planted/events.ts';
import { plantLetters } from './planted/letters.ts';
import { plantOverview } from './planted/overview.ts';
import { plantRecords } from './planted/records.ts';
import { MINUTE_MS, ordinarily, type PlantedText, recordIdOf, type Trouble } from './planted/rows.ts';

export { plantRecent } from './planted/events.ts';
export { PLANTED } from './planted/rows.ts';

export interface PlantOptions {
  readonly outbox: Pool;
  readonly audit: Pool;
  /** All times are told from it. */
  readonly now: Date;
  /** What stands in a field of others' text. Default: what would stand there on an ordinary day. */
  readonly text?: PlantedText;
  /** `some`: as on a day with one destination that is down. Default `all`: whatever can be wrong is. */
  readonly trouble?: Trouble;
}

/** Plants it. The id of the record that has changes stands in the answer, for it holds its time. */
export async function plantMonitor(options: PlantOptions): Promise<{ readonly record: string }> {
  const { outbox, audit, now, text = ordinarily, trouble = 'all' } = options;
  const ago = (minutes: number) => new Date(now.getTime() - minutes * MINUTE_MS).toISOString();
  const record = recordIdOf(new Date(ago(30)), 1);
  await plantEvents({ outbox, text, ago, record });
  await plantLetters({ outbox, text, ago });
  await plantOverview({ outbox, text, ago, now, trouble });
  await plantRecords({ audit, text, ago, record, trouble });
  return { record };
}
