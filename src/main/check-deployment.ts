import { StartRefusedError } from './start-refused-error.js';

const NOT_MIGRATED = 'the outbox database is not migrated: run `outbox migrate deploy` first';

/** R1: workflow ids and the task queue carry the name, so a wrong one would start every event a second time. */
export function checkDeployment(stored: string | null, configured: string): void {
  if (stored === configured) return;
  throw new StartRefusedError(
    stored === null
      ? NOT_MIGRATED
      : `the outbox database belongs to deployment "${stored}", OUTBOX_DEPLOYMENT says "${configured}": set OUTBOX_DEPLOYMENT=${stored}, or name another database`,
  );
}
