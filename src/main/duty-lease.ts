import type { Settings } from '../infrastructure/config/settings.js';

/** Half of a claim's: a duty whose process died is taken over sooner than the rows that it held. By default 15 s. */
export function dutyLeaseMs({ leaseMs }: Settings): number {
  return Math.floor(leaseMs / 2);
}
