import type { DeadLetterSample } from '../../../domain/delivery/dead-letter-group.js';
import { catalogEntry } from '../../../domain/delivery/error-catalog.js';
import { type AlertNotice, type Notice, type RecoverableAlert, SHOWN_SAMPLES } from './ports.js';

/** A notice in words, for a channel that a person reads. The values are as they came: each channel escapes its own way. */
export interface NoticeText {
  readonly severity: 'error' | 'warning' | 'info';
  readonly title: string;
  /** What should be done, where somebody should. */
  readonly advice: string | null;
  readonly facts: readonly (readonly [name: string, value: string])[];
  /** One line each, five at most. */
  readonly samples: readonly string[];
  readonly links: readonly (readonly [label: string, url: string | null])[];
}

export function describeNotice(notice: Notice): NoticeText {
  const text = notice.kind === 'dead_letters' ? describeDeadLetters(notice) : describeAlert(notice);
  const temporalUrl = notice.kind === 'dead_letters' ? notice.temporalUrl : null;
  return {
    advice: null,
    samples: [],
    ...text,
    facts: [...text.facts, ['Deployment', notice.deployment], ['Noticed', notice.at]],
    links: [
      ['Open in the monitor', notice.monitorUrl],
      ['Open in Temporal', temporalUrl],
    ],
  };
}

type Words = Pick<NoticeText, 'severity' | 'title' | 'facts'> & Partial<Pick<NoticeText, 'advice' | 'samples'>>;

function describeDeadLetters(notice: Extract<Notice, { kind: 'dead_letters' }>): Words {
  const { eventType, code, destination, count, firstAt, lastAt, samples } = notice;
  const { message, advice } = catalogEntry(code);
  return {
    severity: 'error',
    title: `${count} dead ${count === 1 ? 'letter' : 'letters'}: ${eventType}, ${code}`,
    advice,
    facts: [
      ['What happened', message],
      ['Event type', eventType],
      ['Code', code],
      ['Destination', destination],
      ['Count', String(count)],
      ['First', firstAt],
      ['Last', lastAt],
    ],
    samples: samples.slice(0, SHOWN_SAMPLES).map(describeSample),
  };
}

function describeSample({ deadLetterId, eventId, epoch, eventName, tenantId }: DeadLetterSample): string {
  const tenant = tenantId === '' ? '' : `, tenant ${tenantId}`;
  return `${eventName}: event ${eventId}, epoch ${epoch}, letter ${deadLetterId}${tenant}`;
}

function describeAlert(notice: AlertNotice): Words {
  switch (notice.kind) {
    case 'breaker_opened':
      return {
        severity: 'error',
        title: `Breaker open: ${notice.destination}`,
        advice: catalogEntry(notice.code).advice,
        facts: [
          ['Destination', notice.destination],
          ['What happened', catalogEntry(notice.code).message],
          ['Code', notice.code],
          ['Failures in a row', String(notice.failures)],
        ],
      };
    case 'breaker_closed':
      return {
        severity: 'info',
        title: `Breaker closed: ${notice.destination}`,
        facts: [
          ['Destination', notice.destination],
          ['Open since', notice.openedAt],
        ],
      };
    case 'relay_batch_failed':
      return {
        severity: 'error',
        title: `A relay could not start ${notice.count} ${notice.count === 1 ? 'workflow' : 'workflows'}`,
        advice: 'Look whether Temporal can be reached from the relay; nothing is lost, the events are claimed again',
        facts: [
          ['Reason', notice.reason],
          ['Events', String(notice.count)],
        ],
      };
    case 'lag_over_limit':
      return {
        severity: 'warning',
        title: `The oldest due event has waited ${notice.lagSeconds} s`,
        advice: 'Look whether the relay and the workers run and keep up, and whether a destination is open or paused',
        facts: [
          ['Lag', `${notice.lagSeconds} s`],
          ['Limit', `${notice.limitSeconds} s`],
        ],
      };
    case 'backlog_over_limit':
      return {
        severity: 'warning',
        title: `${notice.backlog} events are waiting`,
        advice: 'Look whether the relay and the workers run and keep up; add workers, or allow coalescing',
        facts: [
          ['Backlog', String(notice.backlog)],
          ['Limit', String(notice.limit)],
        ],
      };
    case 'books_unbalanced':
      return {
        severity: 'error',
        title: `The books of ${notice.hour} do not balance`,
        advice: 'Look at the gap list of that hour before anything is repaired',
        facts: [['Hour', notice.hour]],
        samples: notice.differences.slice(0, SHOWN_SAMPLES).map(({ check, count }) => `${check}: ${count}`),
      };
    case 'workflows_stuck':
      return {
        severity: 'error',
        title: `${notice.count} ${notice.count === 1 ? 'workflow makes' : 'workflows make'} no progress`,
        advice: catalogEntry('WORKFLOW.STUCK').advice,
        facts: [['Workflows', String(notice.count)]],
        samples: notice.workflowIds.slice(0, SHOWN_SAMPLES),
      };
    case 'worker_missing':
      return {
        severity: 'error',
        title: `No worker polls ${notice.taskQueue}`,
        advice: 'Start a worker of this deployment; nothing is lost meanwhile',
        facts: [
          ['Task queue', notice.taskQueue],
          ['Since', notice.since],
        ],
      };
    case 'event_not_found':
      return {
        severity: 'error',
        title: `Events of ${notice.taskQueue} are not in the database of a worker`,
        advice: catalogEntry('DISPATCH.EVENT_NOT_FOUND').advice,
        facts: [['Task queue', notice.taskQueue]],
      };
    case 'reconciler_stopped':
      return {
        severity: 'error',
        title: 'The reconciler has stopped itself',
        advice: 'Look at what it found before it is let go on; deliveries go on meanwhile',
        facts: [['Reason', notice.reason]],
      };
    case 'recovered':
      return {
        severity: 'info',
        title: `Over: ${ALERT_NAMES[notice.alert]}${notice.subject === null ? '' : ` (${notice.subject})`}`,
        facts: [
          ['Alert', notice.alert],
          ['Since', notice.since],
          ...(notice.subject === null ? [] : [['Subject', notice.subject] as const]),
        ],
      };
  }
}

const ALERT_NAMES = {
  relay_batch_failed: 'workflows could not be started',
  lag_over_limit: 'the lag was over its limit',
  backlog_over_limit: 'the backlog was over its limit',
  books_unbalanced: 'the books did not balance',
  workflows_stuck: 'workflows made no progress',
  worker_missing: 'no worker was polling',
  event_not_found: 'events were not in the database of a worker',
  reconciler_stopped: 'the reconciler had stopped itself',
} as const satisfies Record<RecoverableAlert, string>;
