import { z } from 'zod';
import {
  deadLetterPageSchema,
  deadLetterSchema,
  discardedSchema,
  editedSchema,
  letterKindsSchema,
  payloadSchema,
  redrivenSchema,
  severalDiscardedSchema,
  severalRedrivenSchema,
} from '../../contract/dead-letter-answers.js';
import {
  DEAD_LETTERS_PATH,
  deadLetterQuerySchema,
  editSchema,
  idsSchema,
  LETTER_KINDS_PATH,
  letterKindsQuerySchema,
  payloadQuerySchema,
  reasonSchema,
  redriveSchema,
  severalRedriveSchema,
} from '../../contract/dead-letters-api.js';
import { redactedPayloadSchema } from '../../contract/events-api.js';
import { named, type Operation, type PathParameter } from './operation.js';

const EXAMPLE_ID = '0197d3a0-5d00-7000-8000-00000000000c';
const WORD = { reason: 'the partner has mended its certificate' };
const id: PathParameter = {
  name: 'id',
  description: 'Of a letter, or of an event (then its latest letter).',
  schema: z.guid(),
  example: EXAMPLE_ID,
};
const word = {
  'application/json': { schema: named('Reason', reasonSchema), examples: { one: WORD } },
};
const several = {
  'application/json': {
    schema: named('IdsAndReason', idsSchema),
    examples: { one: { ids: [EXAMPLE_ID], ...WORD } },
  },
};
const severalRedrives = {
  'application/json': {
    schema: named('IdsToRedrive', severalRedriveSchema),
    examples: { one: { ids: [EXAMPLE_ID], ...WORD } },
  },
};
const area = 'dead letters';

/** A key that is bound to a tenant sees and moves its own tenant's only. */
export const deadLetterOperations: readonly Operation[] = [
  {
    id: 'listDeadLetters',
    method: 'get',
    path: DEAD_LETTERS_PATH,
    area,
    summary: 'List dead letters',
    description: 'Of one state, open ones unless asked otherwise; the newest first.',
    scopes: ['dlq:read', 'dlq:write'],
    query: deadLetterQuerySchema,
    answers: [{ status: 200, description: 'One page.', schema: named('DeadLetterPage', deadLetterPageSchema) }],
    problems: ['invalid_query', 'tenant_forbidden'],
  },
  {
    id: 'listDeadLetterKinds',
    method: 'get',
    path: LETTER_KINDS_PATH,
    area,
    summary: 'Count the open ones by event type and code',
    description: 'The largest kinds first, at most 200; of each hour of the last day how many were written.',
    scopes: ['dlq:read', 'dlq:write'],
    query: letterKindsQuerySchema,
    answers: [{ status: 200, description: 'The kinds.', schema: named('LetterKinds', letterKindsSchema) }],
    problems: ['invalid_query', 'tenant_forbidden'],
  },
  {
    id: 'getDeadLetter',
    method: 'get',
    path: `${DEAD_LETTERS_PATH}/{id}`,
    area,
    summary: 'Show one, with all that tells of it',
    scopes: ['dlq:read', 'dlq:write'],
    parameters: [id],
    answers: [{ status: 200, description: 'The letter.', schema: named('DeadLetter', deadLetterSchema) }],
    problems: ['not_found'],
  },
  {
    id: 'getDeadLetterPayload',
    method: 'get',
    path: `${DEAD_LETTERS_PATH}/{id}/payload`,
    area,
    summary: 'Show what its next redrive sends',
    description:
      'Personal data and all, as the database keeps it: that takes `dlq:write`. With `redacted=true` without what the ' +
      'configuration calls personal or secret.',
    scopes: ['dlq:read', 'dlq:write'],
    parameters: [id],
    query: payloadQuerySchema,
    answers: [
      {
        status: 200,
        description: 'The payload; redacted where that was asked for.',
        schema: [named('Payload', payloadSchema), named('RedactedPayload', redactedPayloadSchema)],
      },
    ],
    problems: ['invalid_query', 'not_found'],
  },
  {
    id: 'editDeadLetterPayload',
    method: 'post',
    path: `${DEAD_LETTERS_PATH}/{id}/payload`,
    area,
    summary: 'Give its next redrive another payload',
    description: 'The event itself never changes. Numbers that a double does not hold exactly are refused.',
    scopes: ['dlq:write'],
    parameters: [id],
    body: {
      'application/json': {
        schema: named('PayloadEdit', editSchema),
        examples: { one: { payload: { total: 2 }, dryRun: true, ...WORD } },
      },
    },
    answers: [{ status: 200, description: 'Where the two differ.', schema: named('PayloadEdited', editedSchema) }],
    problems: ['not_found', 'not_open', 'edited_meanwhile', 'effect_stands', 'invalid_request'],
  },
  {
    id: 'redriveDeadLetter',
    method: 'post',
    path: `${DEAD_LETTERS_PATH}/{id}/redrive`,
    area,
    summary: 'Deliver it again',
    scopes: ['dlq:write'],
    parameters: [id],
    body: {
      'application/json': {
        schema: named('Redrive', redriveSchema),
        examples: { one: { ...WORD, revisions: 0 } },
      },
    },
    answers: [{ status: 200, description: 'It is on its way.', schema: named('Redriven', redrivenSchema) }],
    problems: ['not_found', 'not_open', 'edited_meanwhile', 'effect_stands', 'invalid_request', 'effect_not_told'],
  },
  {
    id: 'discardDeadLetter',
    method: 'post',
    path: `${DEAD_LETTERS_PATH}/{id}/discard`,
    area,
    summary: 'Give it up',
    description: 'Nothing is deleted.',
    scopes: ['dlq:write'],
    parameters: [id],
    body: word,
    answers: [{ status: 200, description: 'It is given up.', schema: named('Discarded', discardedSchema) }],
    problems: ['not_found', 'not_open', 'invalid_request'],
  },
  {
    id: 'redriveDeadLetters',
    method: 'post',
    path: `${DEAD_LETTERS_PATH}/redrive`,
    area,
    summary: 'Deliver several again',
    description:
      'Up to 100, each with an outcome of its own. Those whose payload was edited stay, unless `edited` says otherwise.',
    scopes: ['dlq:write'],
    body: severalRedrives,
    answers: [
      { status: 200, description: 'One outcome for each id.', schema: named('SeveralRedriven', severalRedrivenSchema) },
    ],
    problems: ['invalid_request'],
  },
  {
    id: 'discardDeadLetters',
    method: 'post',
    path: `${DEAD_LETTERS_PATH}/discard`,
    area,
    summary: 'Give several up',
    description: 'Up to 100, each with an outcome of its own.',
    scopes: ['dlq:write'],
    body: several,
    answers: [
      {
        status: 200,
        description: 'One outcome for each id.',
        schema: named('SeveralDiscarded', severalDiscardedSchema),
      },
    ],
    problems: ['invalid_request'],
  },
];
