/**
 * The four search attributes by which a run is found in Temporal's Web UI. A start that names one which the namespace
 * does not have is refused, so they are looked at (or made) when a role starts. They are not encrypted: no personal data.
 */
import { defineSearchAttributeKey, type SearchAttributePair, SearchAttributeType } from '@temporalio/common';
import type { NativeConnection } from '@temporalio/worker';
import { TemporalUnfitError } from './connect-temporal.js';

/** `ensure`: made where missing. `require`: the role does not start without. `off`: none is ever named. */
export type SearchAttributeMode = 'ensure' | 'require' | 'off';

export interface SearchAttributeNames {
  readonly eventName: string;
  readonly eventType: string;
  readonly tenantId: string;
  readonly errorCode: string;
}

/** `prefix` is `Outbox` by default. All four are Keywords. */
export function searchAttributeNames(prefix: string): SearchAttributeNames {
  return {
    eventName: `${prefix}EventName`,
    eventType: `${prefix}EventType`,
    tenantId: `${prefix}TenantId`,
    errorCode: `${prefix}ErrorCode`,
  };
}

interface Described {
  readonly eventName: string;
  readonly eventType: string;
  readonly tenantId: string;
}

const pair = (name: string, value: string): SearchAttributePair => ({
  key: defineSearchAttributeKey(name, SearchAttributeType.KEYWORD),
  value,
});

/** What the start of a batch names: what all of its events have in common. */
export function batchAttributesOf(names: SearchAttributeNames, events: readonly Described[]): SearchAttributePair[] {
  const common = (name: string, of: (event: Described) => string) => {
    const values = new Set(events.map(of));
    const [value] = values;
    return values.size !== 1 || value === undefined || value === '' ? [] : [pair(name, value)];
  };
  return [
    ...common(names.eventName, ({ eventName }) => eventName),
    ...common(names.eventType, ({ eventType }) => eventType),
    ...common(names.tenantId, ({ tenantId }) => tenantId),
  ];
}

/** What a start names. A tenant only where the event has one. */
export function searchAttributesOf(names: SearchAttributeNames, event: Described): SearchAttributePair[] {
  const pairs = [pair(names.eventName, event.eventName), pair(names.eventType, event.eventType)];
  return event.tenantId === '' ? pairs : [...pairs, pair(names.tenantId, event.tenantId)];
}

/**
 * Makes sure that the namespace has them, by `mode`. A server may refuse starts for up to a minute after `ensure` has
 * made one (its cache); the relay takes that for the environment's and tries again.
 * @throws TemporalUnfitError that names what is missing, or of another type, and how to make it; what the client throws
 * when the server does not answer
 */
export async function prepareSearchAttributes(
  connection: NativeConnection,
  options: { readonly namespace: string; readonly prefix: string; readonly mode: SearchAttributeMode },
): Promise<void> {
  const { namespace, mode } = options;
  if (mode === 'off') return;
  const names = Object.values(searchAttributeNames(options.prefix));
  const known = await listAttributes(connection, namespace);
  const wrong = names.filter((name) => known.has(name) && known.get(name) !== KEYWORD);
  if (wrong.length > 0) {
    throw new TemporalUnfitError(
      `Temporal namespace "${namespace}": expected search attributes of type Keyword: ${wrong.join(', ')}`,
    );
  }
  const missing = names.filter((name) => !known.has(name));
  if (missing.length === 0) return;
  if (mode === 'require') throw new TemporalUnfitError(missingMessage(namespace, missing));
  try {
    await withDeadline(connection, () =>
      connection.operatorService.addSearchAttributes({
        namespace,
        searchAttributes: Object.fromEntries(missing.map((name) => [name, KEYWORD])),
      }),
    );
  } catch (error) {
    // Another role may have made them at the same moment; only what is still missing is a failure.
    const now = await listAttributes(connection, namespace);
    const still = missing.filter((name) => !now.has(name));
    if (still.length > 0) throw new TemporalUnfitError(missingMessage(namespace, still), { cause: error });
  }
}

function missingMessage(namespace: string, names: readonly string[]): string {
  const flags = names.map((name) => `--name ${name} --type Keyword`).join(' ');
  return (
    `Temporal namespace "${namespace}": missing search attributes ${names.join(', ')}. Make them with ` +
    `\`temporal operator search-attribute create --namespace ${namespace} ${flags}\` (Temporal Cloud: see \`outbox temporal setup --print\`), ` +
    'or turn search attributes off'
  );
}

async function listAttributes(connection: NativeConnection, namespace: string): Promise<Map<string, number>> {
  const answer = await withDeadline(connection, () => connection.operatorService.listSearchAttributes({ namespace }));
  return new Map(Object.entries(answer.customAttributes ?? {}).map(([name, type]) => [name, Number(type)]));
}

function withDeadline<T>(connection: NativeConnection, call: () => Promise<T>): Promise<T> {
  return connection.withDeadline(Date.now() + 10_000, call);
}

/** temporal.api.enums.v1.IndexedValueType: KEYWORD. */
const KEYWORD = 2;
