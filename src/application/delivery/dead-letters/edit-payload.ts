import { isIntegrationError } from '../../../domain/delivery/integration-error.js';
import type { JsonObject } from '../../../domain/delivery/json.js';
import { type Difference, jsonDifference } from '../../../domain/delivery/json-difference.js';
import { type LosslessJson, parseLossless } from '../../../domain/delivery/lossless-json.js';
import type { OutboxEvent } from '../../../domain/delivery/outbox-event.js';
import { toIntegrationEvent } from '../../../domain/delivery/to-integration-event.js';
import type { Handler } from '../ports.js';
import { checkWord } from './check-word.js';
import { type ActDeps, type NotActed, whyNot } from './redrive-letters.js';
import type { PersonsWord } from './redrive-ports.js';

export interface EditInput {
  /** Of a letter, or of an event (then its latest letter). */
  readonly id: string;
  readonly tenantId: string | null;
  /** The whole new payload as JSON text, so that no number changes on the way. */
  readonly payload: string;
  /** As in SeenLetter: the new payload was made from the one of then. */
  readonly revisions?: number | undefined;
  /** Only says what would be. */
  readonly dryRun: boolean;
}

/** Values of the payload are in it: for whoever may write dead letters, and for no log. */
export interface Edit {
  /** At most 200 places. */
  readonly difference: readonly Difference[];
  /** `limits`: this process has no handler for the event, so only the limits of every event were held against it. */
  readonly checkedBy: 'handler' | 'limits';
}

export type EditOutcome =
  | ({ readonly kind: 'edited'; readonly id: string; readonly eventId: string; readonly revision: number } & Edit)
  | ({ readonly kind: 'fits' } & Edit)
  | { readonly kind: 'invalid'; readonly field: string; readonly message: string }
  | { readonly kind: 'effect-stands' }
  | NotActed;

const MOST_DIFFERENCES = 200;
/** Above the limit of a payload, whose bytes are counted by the database in a text form of its own. */
const LONGEST_TEXT = 128 * 1024;

/**
 * A new payload for an event whose letter is open, as a revision: the event itself never changes, and the revision is sent
 * from the letter's redrive on. Held against the limits of every event and against what its handler would refuse. Not
 * where the effect stands already: that would send something else under the same Idempotency-Key.
 * @throws TypeError for a word that does not fit; IntegrationError `STORE.UNAVAILABLE`
 */
export async function editPayload(
  deps: ActDeps & { readonly handlers: readonly Handler[] },
  { id, tenantId, payload, revisions: seen, dryRun }: EditInput,
  word: PersonsWord,
): Promise<EditOutcome> {
  checkWord(word);
  const { actions } = deps;
  const [letter] = await actions.find([id], tenantId);
  if (letter === undefined || letter.kind !== 'letter' || letter.state !== 'open')
    return whyNot(letter ?? { kind: 'missing' });
  if (seen !== undefined && seen !== letter.revisions) return whyNot(letter, seen);
  const loaded = await actions.loadEvent(letter);
  if (loaded === null) return { kind: 'missing' };
  const { event } = loaded;
  const parsed = parse(payload);
  if (parsed === null) return invalid('/payload', 'expected a JSON object of at most 32 levels');
  const refused = check(deps.handlers, {
    ...event,
    payload: parsed.value as JsonObject,
    numbersAsStrings: parsed.numbersAsStrings,
  });
  if (refused !== null && refused.kind !== 'checked') return refused;
  const difference = jsonDifference(event.payload, parsed.value, MOST_DIFFERENCES);
  if (difference.length === 0) return invalid('/payload', 'expected a payload that differs from the one it has');
  const edit: Edit = { difference, checkedBy: refused === null ? 'limits' : 'handler' };
  const asked = await deps.ask({ eventId: letter.eventId, epoch: letter.epoch, carrier: null }, { settle: !dryRun });
  if (asked.kind === 'delivered' || asked.kind === 'superseded') return { kind: 'effect-stands' };
  const pointers = difference.slice(0, 50).map(({ pointer }) => pointer.slice(0, 200).toWellFormed());
  const revised = await actions.revise({ ...letter, payload, pointers, dryRun }, word);
  switch (revised.kind) {
    case 'invalid':
      return invalid('/payload', revised.message);
    case 'moved': {
      const [now] = await actions.find([letter.id], tenantId);
      return whyNot(now ?? { kind: 'missing' }, letter.revisions);
    }
    case 'fits':
      return { kind: 'fits', ...edit };
    case 'revised': {
      const { revision } = revised;
      deps.log.info(
        { letterId: letter.id, eventId: letter.eventId, revision, actor: word.actor },
        'dead_letter.edited',
      );
      return { kind: 'edited', id: letter.id, eventId: letter.eventId, revision, ...edit };
    }
  }
}

function parse(text: string): LosslessJson | null {
  if (text.length > LONGEST_TEXT) return null;
  try {
    const parsed = parseLossless(text);
    const { value } = parsed;
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? parsed : null;
  } catch (error) {
    // A RangeError: too deep for the stack, which is deeper than any payload may be.
    if (error instanceof SyntaxError || error instanceof RangeError || (error as Error).name === 'RangeError')
      return null;
    throw error;
  }
}

function check(
  handlers: readonly Handler[],
  event: OutboxEvent,
): { readonly kind: 'checked' } | Extract<EditOutcome, { kind: 'invalid' }> | null {
  try {
    const mapped = toIntegrationEvent(event);
    const handler = handlers.find(({ routingKey }) => routingKey === event.routingKey);
    if (handler === undefined) return null;
    handler.check?.(mapped);
    return { kind: 'checked' };
  } catch (error) {
    if (!isIntegrationError(error) || error.code !== 'DISPATCH.INVALID_EVENT') throw error;
    return invalid(error.field ?? '/payload', error.message);
  }
}

function invalid(field: string, message: string): Extract<EditOutcome, { kind: 'invalid' }> {
  return { kind: 'invalid', field, message };
}
