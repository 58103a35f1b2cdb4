/**
 * Real: what the monitor's page writes out of the contract and of the domain, since the contract's own files would
 * bring their schemas into the page; and the page's sources as they stand. Fake: nothing.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AUDIT_LOGS_PATH } from '../../src/contract/audit-api.js';
import * as auditDto from '../../src/contract/audit-dto.js';
import { AUDIT_EXPORT_PATH } from '../../src/contract/audit-records-api.js';
import { BLOCKED_AGGREGATES_PATH } from '../../src/contract/blocked-aggregates-api.js';
import { BOOKS_PATH } from '../../src/contract/books-api.js';
import { DEAD_LETTERS_PATH, LETTER_KINDS_PATH, REDRIVE_JOBS_PATH } from '../../src/contract/dead-letters-api.js';
import { DESTINATIONS_PATH } from '../../src/contract/destinations-api.js';
import { EVENT_STATES, EVENTS_PATH } from '../../src/contract/events-api.js';
import { FAILED_INGEST_PATH } from '../../src/contract/failed-ingest-api.js';
import * as monitorApi from '../../src/contract/monitor-api.js';
import { FIGURE_WINDOWS, FIGURES_PATH, OVERVIEW_BOUNDS } from '../../src/contract/overview-api.js';
import { POLICIES_PATH, POLICY_SIMULATION_PATH } from '../../src/contract/policies-api.js';
import { AUDIT_STATUS_PATH, PROOF_STATES_PATH, VERIFICATIONS_PATH } from '../../src/contract/verifications-api.js';
import * as page from '../../src/monitor/data/paths.js';
import { ACTOR_TYPES, CATEGORIES, OPERATIONS, OUTCOMES, SEVERITIES } from '../../src/monitor/logic/record-filter.js';
import { EVENT_STATE_WORDS, eventWord, isOpen, verificationWord } from '../../src/monitor/logic/words.js';

describe('what the page writes out of the contract', () => {
  it('is what stands there', () => {
    expect({ ...page }).toEqual({
      MONITOR_PATH: monitorApi.MONITOR_PATH,
      SESSION_PATH: monitorApi.SESSION_PATH,
      STREAM_PATH: monitorApi.STREAM_PATH,
      CSRF_HEADER: monitorApi.CSRF_HEADER,
      SESSION_CHECKED_HEADER: monitorApi.SESSION_CHECKED_HEADER,
      FIGURES_PATH,
      EVENTS_PATH,
      DEAD_LETTERS_PATH,
      LETTER_KINDS_PATH,
      REDRIVE_JOBS_PATH,
      DESTINATIONS_PATH,
      BOOKS_PATH,
      POLICIES_PATH,
      POLICY_SIMULATION_PATH,
      BLOCKED_AGGREGATES_PATH,
      FAILED_INGEST_PATH,
      AUDIT_LOGS_PATH,
      AUDIT_EXPORT_PATH,
      AUDIT_STATUS_PATH,
      PROOF_STATES_PATH,
      VERIFICATIONS_PATH,
      OVERVIEW_BOUNDS: { open: OVERVIEW_BOUNDS.open, letters: OVERVIEW_BOUNDS.letters },
      FIGURE_WINDOWS: Object.keys(FIGURE_WINDOWS),
      IDS_AT_ONCE: 100,
      LONGEST_REASON: 1_000,
    });
  });

  it('of records are its own lists', () => {
    expect({ OUTCOMES, SEVERITIES, OPERATIONS, ACTOR_TYPES, CATEGORIES }).toEqual({
      OUTCOMES: auditDto.OUTCOMES,
      SEVERITIES: auditDto.SEVERITIES,
      OPERATIONS: auditDto.OPERATIONS,
      ACTOR_TYPES: auditDto.ACTOR_TYPES,
      CATEGORIES: auditDto.CATEGORIES,
    });
  });

  it('has a word for every state of an event', () => {
    expect(Object.keys(EVENT_STATE_WORDS)).toEqual([...EVENT_STATES]);
    expect(eventWord(null).tone).toBe('bad');
    expect(EVENT_STATES.filter((state) => isOpen(state))).toEqual(['waiting', 'running', 'retrying']);
  });

  it('never takes a verification for whole that has not ended so', () => {
    for (const state of ['asked', 'running', 'done', 'failed'] as const) {
      expect(verificationWord({ state, outcome: null }).tone).not.toBe('good');
    }
    expect(verificationWord({ state: 'done', outcome: 'broken' }).tone).toBe('bad');
  });
});

describe("the page's sources", () => {
  const folder = 'src/monitor';
  const sources = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => /\.tsx?$/.test(path))
    .map((path) => ({ path, text: readFileSync(join(folder, path), 'utf8') }));
  const holding = (pattern: RegExp) => sources.filter(({ text }) => pattern.test(text)).map(({ path }) => path);

  it('take types only from the contract, but for the verdict, which is nothing but a function', () => {
    const taken = sources.flatMap(({ text }) =>
      [...text.matchAll(/^import (?!type )[^;]*? from '[^']*\/contract\/([^']+)'/gms)].map((match) => match[1]),
    );
    expect(new Set(taken)).toEqual(new Set(['verdict.js']));
  });

  it('hand no text to a parser of markup or of scripts', () => {
    const parsers = /dangerouslySetInnerHTML|innerHTML|outerHTML|insertAdjacent|document\.write|\beval\(|new Function/;
    expect(holding(parsers)).toEqual([]);
  });

  it("use nothing of Mantine's that writes a style into the page", () => {
    expect(holding(/\b(AppShell|SimpleGrid|ColorSchemeScript|MantineCssVariables)\b/)).toEqual([]);
    // A property of several widths becomes a `<style>`.
    expect(holding(/=\{\{ ?(base|xs|sm|md|lg|xl):/)).toEqual([]);
  });
});
