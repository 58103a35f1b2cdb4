/**
 * R1: workflow ids, one function each, its inverse beside it. An inverse answers null for every string that its
 * function does not make, so that each id is read back by exactly one of them.
 */
import { isDeploymentName } from './deployment.js';

export interface EventRunId {
  readonly deployment: string;
  /** Lower-case UUID. */
  readonly eventId: string;
  /** 0 for the first delivery, +1 for each redrive or re-dispatch. */
  readonly epoch: number;
}

export interface GroupRunId {
  readonly deployment: string;
  /** Of the batch, or of the group's oldest unsent notification row. Lower-case UUID. */
  readonly id: string;
}

/** `<deployment>:<eventId>:<epoch>`. Throws a TypeError for parts that could not be read back. */
export function eventRunId({ deployment, eventId, epoch }: EventRunId): string {
  if (!Number.isSafeInteger(epoch) || epoch < 0) throw new TypeError(`expected an epoch from 0, got ${epoch}`);
  return `${checkedDeployment(deployment)}:${checkedUuid(eventId)}:${epoch}`;
}

export function parseEventRunId(workflowId: string): EventRunId | null {
  const [deployment, eventId, epoch, ...rest] = workflowId.split(':');
  if (deployment === undefined || eventId === undefined || epoch === undefined || rest.length > 0) return null;
  if (!isDeploymentName(deployment) || !isUuid(eventId) || !/^(0|[1-9][0-9]{0,15})$/.test(epoch)) return null;
  const number = Number(epoch);
  return Number.isSafeInteger(number) ? { deployment, eventId, epoch: number } : null;
}

/** `<deployment>:batch:<uuid>`: one workflow that carries many events. */
export function batchRunId({ deployment, id }: GroupRunId): string {
  return `${batchRunPrefix(deployment)}${checkedUuid(id)}`;
}

/** For the claim, which makes the ids itself: what stands before a lower-case UUID. */
export function batchRunPrefix(deployment: string): string {
  return `${checkedDeployment(deployment)}:batch:`;
}

export function parseBatchRunId(workflowId: string): GroupRunId | null {
  return parseGroupRunId(workflowId, 'batch');
}

/** `<deployment>:notify:<id of the group's oldest unsent row>`. */
export function notifyRunId({ deployment, id }: GroupRunId): string {
  return `${checkedDeployment(deployment)}:notify:${checkedUuid(id)}`;
}

export function parseNotifyRunId(workflowId: string): GroupRunId | null {
  return parseGroupRunId(workflowId, 'notify');
}

function parseGroupRunId(workflowId: string, kind: string): GroupRunId | null {
  const [deployment, word, id, ...rest] = workflowId.split(':');
  if (deployment === undefined || id === undefined || word !== kind || rest.length > 0) return null;
  return isDeploymentName(deployment) && isUuid(id) ? { deployment, id } : null;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

function isUuid(value: string): boolean {
  return UUID.test(value);
}

function checkedDeployment(value: string): string {
  if (!isDeploymentName(value)) throw new TypeError(`expected a deployment name of [a-z0-9-]{1,40}, got "${value}"`);
  return value;
}

function checkedUuid(value: string): string {
  if (!isUuid(value)) throw new TypeError(`expected a lower-case UUID, got "${value}"`);
  return value;
}
