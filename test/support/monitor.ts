/** The monitor of a test: real sessions in a real database, and a page of a few files that this makes. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import type { Pool } from 'pg';
import { createPasswordHasher } from '../../src/application/audit/monitor/hash-password.js';
import { addOperator } from '../../src/application/audit/monitor/operators.js';
import type { OperatorRole } from '../../src/application/audit/monitor/ports.js';
import { createSignInLinks } from '../../src/application/audit/monitor/sign-in-links.js';
import { CSRF_HEADER, SESSION_PATH, type Session, type SignIn } from '../../src/contract/monitor-api.js';
import { OVERVIEW_PARTS, type OverviewPart, type OverviewPartName } from '../../src/contract/overview-api.js';
import type { MonitorOptions } from '../../src/http/open-monitor.js';
import type { PartReaders } from '../../src/http/snapshots.js';
import { createOperatorBook, createOperatorStore } from '../../src/infrastructure/prisma/operator-store.js';
import { createSessionStore } from '../../src/infrastructure/prisma/session-store.js';
import type { Answer, TestIngest } from '../integration/ingest-set-up.js';
import { askAgain } from './ask-again.js';

export const SCRIPT = `console.log('the page');\n`.repeat(200);

export interface PageFolder {
  readonly folder: string;
  remove(): void;
}

/** As Vite builds it: a manifest, a shell, a hashed file with its compressed forms, and a file without a hash. */
export function makePageFolder(): PageFolder {
  const folder = mkdtempSync(join(tmpdir(), 'monitor-page-'));
  const write = (path: string, content: string | Buffer) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  };
  write(
    '.vite/manifest.json',
    JSON.stringify({
      'index.html': { file: 'assets/index-1a2b3c4d.js', css: ['assets/index-5e6f7a8b.css'], isEntry: true },
    }),
  );
  write('index.html', '<!doctype html><title>the shell</title>');
  write('color-scheme.js', '// before the first paint');
  write('secret.map', '{}');
  write('assets/index-1a2b3c4d.js', SCRIPT);
  write('assets/index-1a2b3c4d.js.br', brotliCompressSync(SCRIPT));
  write('assets/index-1a2b3c4d.js.gz', gzipSync(SCRIPT));
  write('assets/index-5e6f7a8b.css', 'body { margin: 0 }');
  write('assets/not-in-the-manifest.js', 'left behind by an older build');
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** Parts that are well and empty, but for those that are given. */
export function fakeParts(given: Partial<PartReaders> = {}): PartReaders {
  const empty = (name: OverviewPartName) => async () =>
    ({ name, state: 'ok', at: '2026-01-02T03:04:05.678Z', reason: null, value: null }) as OverviewPart;
  return { ...Object.fromEntries(OVERVIEW_PARTS.map((name) => [name, empty(name)])), ...given } as PartReaders;
}

/** Sessions and operators on the pool, looked up again where a busy machine was too slow; the rest as a test gives it. */
export function testMonitor(folder: string, given: Partial<MonitorOptions> = {}): (pool: Pool) => MonitorOptions {
  return (pool) => {
    const sessions = createSessionStore(pool);
    return {
      folder,
      url: null,
      signIn: true,
      lifeMs: 3_600_000,
      operators: { findByName: askAgain(createOperatorStore(pool).findByName) },
      sessions: { ...sessions, find: askAgain(sessions.find) },
      links: createSignInLinks(),
      parts: fakeParts(),
      about: { version: '1.2.3', temporalUi: 'http://temporal.test:8233', readNamespace: async () => 'shop' },
      ...given,
    };
  };
}

export async function addPerson(pool: Pool, name: string, role: OperatorRole, password: string): Promise<void> {
  const deps = { book: createOperatorBook(pool), hasher: createPasswordHasher() };
  const { kind } = await addOperator(deps, { name, role, password });
  if (kind !== 'added') throw new Error(`${name} is there already`);
}

type Headers = Record<string, string>;
/** As a browser sends them with what the page itself asks for. */
const ofPage = (ingest: TestIngest): Headers => ({ Origin: ingest.url, 'Sec-Fetch-Site': 'same-origin' });

export function signIn(ingest: TestIngest, body: unknown, headers: Headers = {}): Promise<Answer> {
  return ingest.post(body, { path: SESSION_PATH, key: null, headers: { ...ofPage(ingest), ...headers } });
}

/** A browser's tab with a session. */
export interface Page {
  readonly session: Session;
  /** `name=value` */
  readonly cookie: string;
  get(path: string): Promise<Answer>;
  /** With all that a page sends; `headers` in place of some of it, the empty string for none. */
  send(method: string, path: string, body?: unknown, headers?: Headers): Promise<Answer>;
}

export async function openPage(ingest: TestIngest, body: SignIn): Promise<Page> {
  const answer = await signIn(ingest, body);
  if (answer.status !== 200) throw new Error(`not signed in: ${JSON.stringify(answer.body)}`);
  const session = answer.body as Session;
  const cookie = cookieOf(answer);
  const send: Page['send'] = (method, path, sent = {}, headers = {}) => {
    const all = { ...ofPage(ingest), Cookie: cookie, [CSRF_HEADER]: session.csrf, ...headers };
    const given = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== ''));
    return ingest.post(sent, { method, path, key: null, headers: given });
  };
  return {
    session,
    cookie,
    get: (path) => ingest.post(null, { method: 'GET', path, key: null, headers: { Cookie: cookie } }),
    send,
  };
}

export function cookieOf({ headers }: Answer): string {
  const [cookie = ''] = headers.getSetCookie();
  return cookie.split(';')[0] ?? '';
}
