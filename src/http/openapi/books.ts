import { BOOKS_PATH, bookPageSchema, bookQuerySchema } from '../../contract/books-api.js';
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
];
