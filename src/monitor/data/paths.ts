import type { FigureWindow } from '../../contract/overview-api.js';

/**
 * Addresses, headers and bounds of the contract, written out: its own files bring their schemas along, which the page
 * has no use for. A test holds these to them.
 */

/** Where the page is served; its own addresses stand below. */
export const MONITOR_PATH = '/monitor';
export const SESSION_PATH = '/monitor/session';
export const STREAM_PATH = '/monitor/stream';

export const CSRF_HEADER = 'X-Outbox-CSRF';
export const SESSION_CHECKED_HEADER = 'X-Session-Checked';

export const FIGURES_PATH = '/ops/v1/figures';
export const EVENTS_PATH = '/ops/v1/events';
export const DEAD_LETTERS_PATH = '/ops/v1/dead-letters';
export const LETTER_KINDS_PATH = '/ops/v1/dead-letters/kinds';
export const REDRIVE_JOBS_PATH = '/ops/v1/redrive-jobs';
export const DESTINATIONS_PATH = '/ops/v1/destinations';
export const BOOKS_PATH = '/ops/v1/books';
export const POLICIES_PATH = '/ops/v1/policies';
export const POLICY_SIMULATION_PATH = '/ops/v1/policies/simulation';
export const BLOCKED_AGGREGATES_PATH = '/ops/v1/blocked-aggregates';
export const FAILED_INGEST_PATH = '/ops/v1/failed-ingest';
export const AUDIT_LOGS_PATH = '/integration/v1/audit/logs';
export const AUDIT_EXPORT_PATH = '/integration/v1/audit/logs/export';
export const AUDIT_STATUS_PATH = '/integration/v1/audit/log/status';
export const PROOF_STATES_PATH = '/integration/v1/audit/log/proof-states';
export const VERIFICATIONS_PATH = '/integration/v1/audit/verifications';

/** How far things are counted for people. */
export const OVERVIEW_BOUNDS = { open: 10_000, letters: 100_000 } as const;
export const FIGURE_WINDOWS: readonly FigureWindow[] = ['15m', '1h', '24h'];
/** As many letters may be redriven or discarded by their ids at once. */
export const IDS_AT_ONCE = 100;
export const LONGEST_REASON = 1_000;
