/** `outbox keys list | revoke | rotate-secret`: API keys as the owner of the audit log's database manages them. */
import type { ApiKeyBook, ApiKeyRef, ListedApiKey } from '../application/audit/key-ports.js';
import { rotateSigningSecret } from '../application/audit/rotate-signing-secret.js';
import { loadSettings, requireSetting } from '../infrastructure/config/load-settings.js';
import { processEnvironment } from '../infrastructure/config/process-environment.js';
import type { Settings } from '../infrastructure/config/settings.js';
import { createApiKeyBook } from '../infrastructure/prisma/audit-api-key-book.js';
import { createPool } from '../infrastructure/prisma/pg-pool.js';
import { explainingDatabase } from './explain-database.js';
import { parseWhen } from './parse-when.js';
import { complain, note, print } from './terminal.js';

interface KeyOptions {
  readonly json?: boolean;
}

export function runListKeys({ json }: KeyOptions): Promise<number> {
  return withBook(async (book) => {
    const keys = await book.list();
    if (json) print(JSON.stringify(keys.map(toJson)));
    else for (const line of toTable([COLUMNS, ...keys.map(toRow)])) print(line);
    return 0;
  });
}

/** Again changes nothing, and is no failure: what was asked for holds. */
export function runRevokeKey(ref: ApiKeyRef, { json }: KeyOptions): Promise<number> {
  return withBook(async (book) => {
    const revoked = await book.revoke(ref);
    if (revoked === null) return complain(noKey(ref));
    const { key, already } = revoked;
    if (json) print(JSON.stringify({ ...toJson(key), already }));
    else if (already) print(`${key.prefix} (${key.name}) was revoked already, at ${timeOf(key.revokedAt)}`);
    else print(`${key.prefix} (${key.name}) is revoked: its next request is answered 401`);
    return 0;
  });
}

export function runRotateSecret(ref: ApiKeyRef, options: KeyOptions & { retireAfter: string }): Promise<number> {
  const command = 'outbox keys rotate-secret';
  const when = { option: '--retire-after', command, now: new Date(), fromNow: true };
  const oldUntil = parseWhen(options.retireAfter, when);
  return withBook(async (book, settings) => {
    const secretKey = requireSetting(settings.auditSecretKey, 'AUDIT_SECRET_KEY');
    const outcome = await rotateSigningSecret({ book, secretKey }, ref, oldUntil);
    switch (outcome.kind) {
      case 'missing':
        return complain(noKey(ref));
      case 'revoked':
        return complain('this key is revoked: make another one');
      case 'unsigned':
        return complain('this key needs no signature: make another one with --signed');
      case 'rotated': {
        const { key, signingSecret } = outcome;
        const oldSecretUntil = timeOf(key.oldSecretUntil);
        print(
          options.json
            ? JSON.stringify({ id: key.id, prefix: key.prefix, signingSecret, oldSecretUntil })
            : signingSecret,
        );
        if (!options.json) note(`Keep it now: it is never shown again. The old one holds until ${oldSecretUntil}.`, {});
        return 0;
      }
    }
  });
}

const COLUMNS = ['PREFIX', 'NAME', 'SCOPES', 'TENANT', 'CREATED', 'EXPIRES', 'LAST USED', 'REVOKED', 'ID'];

function toRow(key: ListedApiKey): string[] {
  const marks = [
    ...(key.signed ? ['signed'] : []),
    ...(key.ratePerMinute === null ? [] : [`${key.ratePerMinute}/min`]),
  ];
  return [
    key.prefix,
    key.name,
    [...key.scopes, ...marks].join(','),
    key.tenantId ?? '-',
    timeOf(key.createdAt),
    timeOf(key.expiresAt),
    timeOf(key.lastUsedAt),
    timeOf(key.revokedAt),
    key.id,
  ];
}

function toTable(rows: readonly (readonly string[])[]): string[] {
  const widths = COLUMNS.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

function toJson(key: ListedApiKey): object {
  const { id, prefix, name, scopes, tenantId, ratePerMinute, signed } = key;
  const { createdAt, expiresAt, lastUsedAt, revokedAt, oldSecretUntil } = key;
  const times = { createdAt, expiresAt, lastUsedAt, revokedAt, oldSecretUntil };
  return { id, prefix, name, scopes, tenantId, ratePerMinute, signed, ...times };
}

function timeOf(time: Date | null): string {
  return time === null ? '-' : time.toISOString().replace(/\.\d{3}Z$/, 'Z');
}

function noKey(ref: ApiKeyRef): string {
  return `${'id' in ref ? ref.id : ref.prefix}: no such key`;
}

async function withBook(work: (book: ApiKeyBook, settings: Settings) => Promise<number>): Promise<number> {
  const settings = loadSettings(processEnvironment(), ['keys']);
  const pool = createPool(requireSetting(settings.auditDatabaseUrl, 'AUDIT_DATABASE_URL'), { max: 1 });
  try {
    return await explainingDatabase('audit', () => work(createApiKeyBook(pool), settings));
  } finally {
    await pool.end();
  }
}
