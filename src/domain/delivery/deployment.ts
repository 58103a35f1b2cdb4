/** One outbox with its relays and workers. Its name is in workflow ids, the task queue and the default `source`. */

const DEPLOYMENT_NAME = /^[a-z0-9-]{1,40}$/;

/** R1: 1 to 40 of a to z, 0 to 9 and "-". No ":", which separates the parts of a workflow id. */
export function isDeploymentName(value: string): boolean {
  return DEPLOYMENT_NAME.test(value);
}

/** The Temporal task queue of a deployment that names none. */
export function defaultTaskQueue(deployment: string): string {
  return `outbox-${deployment}`;
}
