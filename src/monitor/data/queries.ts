import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import type { InclusionProof } from '../../contract/audit-api.js';
import type { RecordPage, RecordView } from '../../contract/audit-records-api.js';
import type { EventDetail } from '../../contract/events-api.js';
import type { FailedIngestFound, FailedIngestList } from '../../contract/failed-ingest-api.js';
import type { Figures, FigureWindow } from '../../contract/overview-api.js';
import type { Verification } from '../../contract/verifications-api.js';
import { filterOf, writeParams } from '../logic/search-params.js';
import { isOpen } from '../logic/words.js';
import {
  AUDIT_LOGS_PATH,
  AUDIT_STATUS_PATH,
  BLOCKED_AGGREGATES_PATH,
  BOOKS_PATH,
  DEAD_LETTERS_PATH,
  EVENTS_PATH,
  FAILED_INGEST_PATH,
  FIGURES_PATH,
  LETTER_KINDS_PATH,
  POLICIES_PATH,
  POLICY_SIMULATION_PATH,
  PROOF_STATES_PATH,
  REDRIVE_JOBS_PATH,
  VERIFICATIONS_PATH,
} from './paths.js';
import { getJson, getText, postJson, RequestError } from './request.js';
import type {
  BlockedPage,
  BookPage,
  EventPage,
  Letter,
  LetterKinds,
  LetterPage,
  LogStatus,
  PolicyList,
  ProofStates,
  RedactedPayload,
  RedriveJob,
  RedriveJobPage,
  Simulation,
  VerificationList,
} from './types.js';

/** What the page asks the api for, and how often again while it is looked at. */

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** Somebody reads a list: it is looked at again for what is new. */
const LIST_MS = 5_000;
/** Something is on its way, and somebody watches it. */
const WATCH_MS = 1_000;
/** It had no answer, or there was no room for it: whoever asks on at the same pace makes that no better. */
const AWAY_MS = 15_000;

/**
 * A list by its address and filter. Until another page of the same list is there the one before stays in sight, marked as that;
 * of another filter nothing stays, for it would stand under a filter that it does not fit. Nothing new comes to an older page.
 */
function listQuery<Page>(key: string, path: string, query: Query, everyMs = LIST_MS) {
  const older = isOlderPage(query);
  return queryOptions({
    queryKey: [key, query],
    queryFn: ({ signal }) => getJson<Page>(`${path}${writeParams(query)}`, signal),
    placeholderData: keepSameList(query),
    refetchInterval: ({ state }) => (older ? false : Math.max(everyMs, isAway(state.error) ? AWAY_MS : 0)),
  });
}

/** Of a query whose key is its name and what it asks for. */
function keepSameList(query: Query) {
  return <Page>(shown: Page | undefined, before: { readonly queryKey: readonly unknown[] } | undefined) =>
    filterOf(before?.queryKey[1]) === filterOf(query) ? shown : undefined;
}

export type ListOptions<Page> = ReturnType<typeof listQuery<Page>>;

function isAway(error: Error | null): boolean {
  return error instanceof RequestError && error.retryable;
}

/** One that is not read again while somebody looks at it. */
function isOlderPage(query: Query): boolean {
  return query.cursor !== undefined || query.before !== undefined || query.after !== undefined;
}

export const figuresQuery = (window: FigureWindow) =>
  listQuery<Figures>('figures', FIGURES_PATH, { window }, window === '24h' ? 60_000 : 20_000);

export const eventsQuery = (query: Query) => listQuery<EventPage>('events', EVENTS_PATH, query);

export const eventQuery = (id: string) =>
  queryOptions({
    queryKey: ['event', id],
    queryFn: ({ signal }) => getJson<EventDetail>(below(EVENTS_PATH, id), signal),
    refetchInterval: ({ state }) => (state.data !== undefined && isOpen(state.data.state) ? WATCH_MS : LIST_MS),
  });

/** Of an event, or of a letter: without what the configuration calls personal or secret. `edits`: each makes another one. */
export const redactedPayloadQuery = (of: 'event' | 'letter', id: string, edits: number) =>
  queryOptions({
    queryKey: ['payload', of, id, edits],
    queryFn: ({ signal }) => {
      const path =
        of === 'event' ? below(EVENTS_PATH, id, 'payload') : `${below(DEAD_LETTERS_PATH, id, 'payload')}?redacted=true`;
      return getJson<RedactedPayload>(path, signal);
    },
  });

export interface PayloadToEdit {
  readonly text: string;
  /** How often it had been edited. */
  readonly revisions: number;
}

/** As text, for editing. It is not kept: personal data and all. */
export const payloadToEditQuery = (letterId: string) =>
  queryOptions({
    queryKey: ['payload-to-edit', letterId],
    queryFn: async ({ signal }): Promise<PayloadToEdit> => {
      // The number first: where somebody edits between the two, what is made of the text is refused. The other way round
      // it would take their edit back; and what a view has of the letter may be older than either.
      const { revisions } = await getJson<Letter>(below(DEAD_LETTERS_PATH, letterId), signal);
      const text = await getText(below(DEAD_LETTERS_PATH, letterId, 'payload'), signal);
      return { text, revisions: revisions.length };
    },
    gcTime: 0,
    staleTime: Number.POSITIVE_INFINITY,
    refetchOnWindowFocus: false,
  });

export const letterKindsQuery = (query: Query) => listQuery<LetterKinds>('letter-kinds', LETTER_KINDS_PATH, query);

export const lettersQuery = (query: Query) => listQuery<LetterPage>('letters', DEAD_LETTERS_PATH, query);

export const letterQuery = (id: string) =>
  queryOptions({
    queryKey: ['letter', id],
    queryFn: ({ signal }) => getJson<Letter>(below(DEAD_LETTERS_PATH, id), signal),
    refetchInterval: LIST_MS,
  });

export const jobsQuery = (query: Query) => listQuery<RedriveJobPage>('jobs', REDRIVE_JOBS_PATH, query, WATCH_MS * 2);

export const jobQuery = (id: string) =>
  queryOptions({
    queryKey: ['job', id],
    queryFn: ({ signal }) => getJson<RedriveJob>(below(REDRIVE_JOBS_PATH, id), signal),
    refetchInterval: ({ state }) => (state.data?.state === 'running' ? WATCH_MS : LIST_MS),
  });

export const booksQuery = (query: Query) => listQuery<BookPage>('books', BOOKS_PATH, query, 30_000);

export const recordsQuery = (query: Query) => listQuery<RecordPage>('records', AUDIT_LOGS_PATH, query);

export const recordQuery = (id: string) =>
  queryOptions({
    queryKey: ['record', id],
    queryFn: ({ signal }) => getJson<RecordView>(below(AUDIT_LOGS_PATH, id), signal),
  });

export const proofQuery = (id: string) =>
  queryOptions({
    queryKey: ['proof', id],
    queryFn: ({ signal }) => getJson<InclusionProof>(below(AUDIT_LOGS_PATH, id, 'proof'), signal),
    // Signed some seconds later: whoever looks sees it arrive.
    retry: false,
    refetchInterval: ({ state }) => (state.data === undefined ? LIST_MS : false),
  });

/** Where records stand in the log; asked by POST for their number. */
export const proofStatesQuery = (recordIds: readonly string[]) =>
  queryOptions({
    queryKey: ['proof-states', recordIds],
    queryFn: () => postJson<ProofStates>(PROOF_STATES_PATH, { recordIds }),
    enabled: recordIds.length > 0,
    placeholderData: keepPreviousData,
    // Of what is erased, or not there, nothing more will be known.
    refetchInterval: ({ state }) =>
      state.data?.items.every((item) => item.state === 'signed' || item.state === 'unknown') === true ? false : LIST_MS,
  });

export const logStatusQuery = () =>
  queryOptions({
    queryKey: ['log-status'],
    queryFn: ({ signal }) => getJson<LogStatus>(AUDIT_STATUS_PATH, signal),
    refetchInterval: LIST_MS,
  });

export const verificationsQuery = () =>
  queryOptions({
    queryKey: ['verifications'],
    queryFn: ({ signal }) => getJson<VerificationList>(VERIFICATIONS_PATH, signal),
    refetchInterval: ({ state }) => (state.data?.items.some((item) => item.endedAt === null) ? WATCH_MS : LIST_MS),
  });

/** With all that it kept of what is broken, of which the list has a few. It has ended: nothing of it changes. */
export const verificationQuery = (id: string) =>
  queryOptions({
    queryKey: ['verification', id],
    queryFn: ({ signal }) => getJson<Verification>(below(VERIFICATIONS_PATH, id), signal),
  });

export const failedIngestsQuery = (query: Query) =>
  listQuery<FailedIngestList>('failed-ingests', FAILED_INGEST_PATH, query);

export const failedIngestQuery = (id: string) =>
  queryOptions({
    queryKey: ['failed-ingest', id],
    queryFn: ({ signal }) => getJson<FailedIngestFound>(below(FAILED_INGEST_PATH, id), signal),
  });

export const policiesQuery = () =>
  queryOptions({
    queryKey: ['policies'],
    queryFn: ({ signal }) => getJson<PolicyList>(POLICIES_PATH, signal),
    refetchInterval: LIST_MS,
  });

export const simulationQuery = (query: Query) =>
  queryOptions({
    queryKey: ['simulation', query],
    queryFn: ({ signal }) => getJson<Simulation>(`${POLICY_SIMULATION_PATH}${writeParams(query)}`, signal),
  });

export const blockedQuery = (query: Query) => listQuery<BlockedPage>('blocked', BLOCKED_AGGREGATES_PATH, query);

/** An address below another. What is put into it stays one part of it. */
export function below(path: string, ...parts: readonly string[]): string {
  return [path, ...parts.map(encodeURIComponent)].join('/');
}
