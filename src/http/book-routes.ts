import type { Request, Response } from 'express';
import type { AuthenticateApiKey } from '../application/audit/authenticate-api-key.js';
import { listBooks } from '../application/delivery/books/list-books.js';
import type { BookReader } from '../application/delivery/books/ports.js';
import type { AnswerOf } from '../contract/answers.js';
import { type bookPageSchema, bookQuerySchema } from '../contract/books-api.js';
import { HttpProblem } from './problem.js';
import { readQuery, requireOperator } from './read-operator.js';

export interface BookRouteDeps {
  readonly authenticate: AuthenticateApiKey;
  readonly books: Pick<BookReader, 'list'>;
}

/** GET /ops/v1/books: the newest hours first. They are everybody's: a key that is bound to a tenant sees none. */
export function getBooks({ authenticate, books }: BookRouteDeps) {
  return async (req: Request, res: Response): Promise<void> => {
    const { tenantId } = await requireOperator(authenticate, req, res, 'dlq:read');
    if (tenantId !== null) throw new HttpProblem('tenant_forbidden', 'Expected an API key without a tenant');
    const { limit, before = null, gaps } = readQuery(req, bookQuerySchema);
    const page = await listBooks(books, { limit, before, gapsOnly: gaps === 'true' });
    res.json(page satisfies AnswerOf<typeof bookPageSchema>);
  };
}
