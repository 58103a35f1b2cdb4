import type { Request, Response } from 'express';
import { listBooks } from '../application/delivery/books/list-books.js';
import type { BookReader } from '../application/delivery/books/ports.js';
import type { AnswerOf } from '../contract/answers.js';
import {
  type bookPageSchema,
  bookQuerySchema,
  booksAgainSchema,
  type booksAskedAgainSchema,
} from '../contract/books-api.js';
import { HttpProblem } from './problem.js';
import { type Operator, readBodyOf, readQuery, requireOperator } from './read-operator.js';
import type { Gate } from './require-key.js';

export interface BookRouteDeps {
  readonly gate: Gate;
  readonly books: Pick<BookReader, 'list' | 'lookAgain'>;
}

/** GET /ops/v1/books: the newest hours first. They are everybody's: a key that is bound to a tenant sees none. */
export function getBooks({ gate, books }: BookRouteDeps) {
  return async (req: Request, res: Response): Promise<void> => {
    refuseTenant(await requireOperator(gate, req, res, 'dlq:read'));
    const { limit, before = null, gaps } = readQuery(req, bookQuerySchema);
    const page = await listBooks(books, { limit, before, gapsOnly: gaps === 'true' });
    res.json(page satisfies AnswerOf<typeof bookPageSchema>);
  };
}

/** POST /ops/v1/books/again: the relay looks at these hours anew, whole. */
export function postBooksAgain({ gate, books }: BookRouteDeps) {
  return async (req: Request, res: Response): Promise<void> => {
    refuseTenant(await requireOperator(gate, req, res, 'dlq:write'));
    const { since, until } = await readBodyOf(req, booksAgainSchema);
    const hours = await books.lookAgain(since, until);
    res.status(202).json({ hours } satisfies AnswerOf<typeof booksAskedAgainSchema>);
  };
}

function refuseTenant({ tenantId }: Operator): void {
  if (tenantId !== null) throw new HttpProblem('tenant_forbidden', 'Expected an API key without a tenant');
}
