import {
  BOOKS_AGAIN_PATH,
  BOOKS_PATH,
  bookPageSchema,
  bookQuerySchema,
  booksAgainSchema,
  booksAskedAgainSchema,
} from '../../contract/books-api.js';
import { named, type Operation } from './operation.js';

export const bookOperations: readonly Operation[] = [
  {
    id: 'listBooks',
    method: 'get',
    path: BOOKS_PATH,
    area: 'books',
    summary: 'Show what became of the events of each hour',
    description: "The newest hour first. They are everybody's: a key that is bound to a tenant sees none.",
    scopes: ['dlq:read', 'dlq:write'],
    query: bookQuerySchema,
    answers: [{ status: 200, description: 'One page.', schema: named('BookPage', bookPageSchema) }],
    problems: ['invalid_query', 'tenant_forbidden'],
  },
  {
    id: 'lookAtBooksAgain',
    method: 'post',
    path: BOOKS_AGAIN_PATH,
    area: 'books',
    summary: 'Look at hours anew',
    description:
      'From `since` on and before `until`, whole: as after a restore of the audit log. The relay role does it.',
    scopes: ['dlq:write'],
    body: {
      'application/json': {
        schema: named('BooksAgain', booksAgainSchema),
        examples: { one: { since: '2026-11-23T09:00:00Z', until: '2026-11-23T12:00:00Z' } },
      },
    },
    answers: [
      { status: 202, description: 'They are due now.', schema: named('BooksAskedAgain', booksAskedAgainSchema) },
    ],
    problems: ['tenant_forbidden', 'invalid_request'],
  },
];
