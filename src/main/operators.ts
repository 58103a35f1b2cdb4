/** `outbox operators …`: who signs in to the monitor by name and password, as the owner of the audit database says. */
import { createPasswordHasher } from '../application/audit/monitor/hash-password.js';
import { addOperator, changePassword } from '../application/audit/monitor/operators.js';
import type { ListedOperator, OperatorBook, OperatorRole } from '../application/audit/monitor/ports.js';
import { loadSettings, requireSetting } from '../infrastructure/config/load-settings.js';
import { processEnvironment } from '../infrastructure/config/process-environment.js';
import { createOperatorBook } from '../infrastructure/prisma/operator-store.js';
import { createPool } from '../infrastructure/prisma/pg-pool.js';
import { explainingDatabase } from './explain-database.js';
import { readPassword } from './read-password.js';
import { complain, print } from './terminal.js';

export interface OperatorOptions {
  readonly json?: boolean;
}

export async function runAddOperator(
  name: string,
  { role, json }: OperatorOptions & { readonly role: OperatorRole },
): Promise<number> {
  // Before the password is typed: what is missing is said at once.
  loadSettings(processEnvironment(), ['operators']);
  const password = await readPassword('outbox operators add');
  return withBook(async (book) => {
    const outcome = await addOperator({ book, hasher: createPasswordHasher() }, { name, role, password });
    if (outcome.kind === 'taken') {
      return complain(`${name}: may sign in already; \`outbox operators password\` and \`role\` change that`);
    }
    return show(outcome.operator, json, `${name} may sign in as ${outcome.operator.role}`);
  });
}

export function runListOperators({ json }: OperatorOptions): Promise<number> {
  return withBook(async (book) => {
    const operators = await book.list();
    if (json) print(JSON.stringify(operators));
    else {
      for (const operator of operators) print(describe(operator));
      if (operators.length === 0) print('nobody signs in by name; API keys do');
    }
    return 0;
  });
}

export async function runOperatorPassword(name: string, { json }: OperatorOptions): Promise<number> {
  loadSettings(processEnvironment(), ['operators']);
  const password = await readPassword('outbox operators password');
  return withBook(async (book) => {
    const outcome = await changePassword({ book, hasher: createPasswordHasher() }, name, password);
    switch (outcome.kind) {
      case 'missing':
        return complain(noSuch(name));
      case 'disabled':
        return complain(`${name}: is disabled; \`outbox operators add\` lets them in again`);
      case 'changed':
        return show(outcome.operator, json, `${name} has another password; sessions of the old one are over`);
    }
  });
}

export function runOperatorRole(name: string, role: OperatorRole, { json }: OperatorOptions): Promise<number> {
  return withBook(async (book) => {
    const operator = await book.setRole(name, role);
    if (operator === null) return complain(noSuch(name));
    return show(operator, json, `${name} is a ${operator.role}, in open sessions within seconds`);
  });
}

/** Again changes nothing, and is no failure: what was asked for holds. */
export function runDisableOperator(name: string, { json }: OperatorOptions): Promise<number> {
  return withBook(async (book) => {
    const disabled = await book.disable(name);
    if (disabled === null) return complain(noSuch(name));
    const { operator, already } = disabled;
    if (json) print(JSON.stringify({ ...operator, already }));
    else if (already) print(`${name} was disabled already, at ${timeOf(operator.disabledAt)}`);
    else print(`${name} is disabled: open sessions are over within seconds`);
    return 0;
  });
}

function show(operator: ListedOperator, json: boolean | undefined, sentence: string): number {
  print(json ? JSON.stringify(operator) : sentence);
  return 0;
}

function describe({ name, role, createdAt, changedAt, disabledAt }: ListedOperator): string {
  return [
    name,
    role,
    `since ${timeOf(createdAt)}`,
    `password of ${timeOf(changedAt)}`,
    ...(disabledAt === null ? [] : [`disabled at ${timeOf(disabledAt)}`]),
  ].join('  ');
}

function timeOf(time: Date | null): string {
  return time === null ? '-' : time.toISOString().replace(/\.\d{3}Z$/, 'Z');
}

function noSuch(name: string): string {
  return `${name}: nobody has that name; \`outbox operators list\` shows who signs in`;
}

async function withBook(work: (book: OperatorBook) => Promise<number>): Promise<number> {
  const settings = loadSettings(processEnvironment(), ['operators']);
  const pool = createPool(requireSetting(settings.auditDatabaseUrl, 'AUDIT_DATABASE_URL'), { max: 1 });
  try {
    return await explainingDatabase('audit', () => work(createOperatorBook(pool)));
  } finally {
    await pool.end();
  }
}
