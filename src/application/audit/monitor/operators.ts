import { v7 as uuidv7 } from 'uuid';
import type { PasswordHasher } from './hash-password.js';
import type { ListedOperator, OperatorBook, OperatorRole } from './ports.js';

export interface OperatorDeps {
  readonly book: OperatorBook;
  readonly hasher: PasswordHasher;
}

export type AddOutcome =
  | { readonly kind: 'added'; readonly operator: ListedOperator }
  /** One of that name may sign in already, and nothing was changed. */
  | { readonly kind: 'taken' };

/** Lets somebody in by name and password; one who was disabled, anew. Throws StoreUnavailableError. */
export async function addOperator(
  { book, hasher }: OperatorDeps,
  { name, role, password }: { readonly name: string; readonly role: OperatorRole; readonly password: string },
): Promise<AddOutcome> {
  const operator = await book.add({ id: uuidv7(), name, role, passwordHash: await hasher.hash(password) });
  return operator === null ? { kind: 'taken' } : { kind: 'added', operator };
}

export type PasswordOutcome =
  | { readonly kind: 'changed'; readonly operator: ListedOperator }
  | { readonly kind: 'missing' | 'disabled' };

/** Another password; every session that the old one began is over. Throws StoreUnavailableError. */
export async function changePassword(
  { book, hasher }: OperatorDeps,
  name: string,
  password: string,
): Promise<PasswordOutcome> {
  const operator = await book.setPassword(name, await hasher.hash(password));
  if (operator !== null) return { kind: 'changed', operator };
  return { kind: (await book.find(name)) === null ? 'missing' : 'disabled' };
}
