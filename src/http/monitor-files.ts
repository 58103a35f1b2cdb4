import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import type { Request, RequestHandler, Response } from 'express';
import { z } from 'zod';
import { MONITOR_HEADERS } from './monitor-headers.js';
import { HttpProblem } from './problem.js';

/** The built page, whole in memory: what is not in it is not served, whatever a URL says. */
export interface MonitorFiles {
  /** The document of every view. */
  readonly shell: MonitorFile;
  /** By their path below the page: `assets/index-B2x.js`. */
  readonly files: ReadonlyMap<string, MonitorFile>;
}

export interface MonitorFile {
  readonly type: string;
  /** Its name has a hash of its content. */
  readonly immutable: boolean;
  /** As it is, and as it was compressed when the page was built. */
  readonly bodies: Readonly<Partial<Record<Encoding, Body>>> & { readonly identity: Body };
}

interface Body {
  readonly bytes: Buffer;
  readonly etag: string;
}

type Encoding = 'identity' | 'br' | 'gzip';

/** There is no page to serve; the message says what to do. */
export class MonitorFilesError extends Error {
  override readonly name = 'MonitorFilesError';
}

const MANIFEST = '.vite/manifest.json';
const SHELL = 'index.html';
const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.js': 'text/javascript; charset=utf-8',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.woff2': 'font/woff2',
};
/** The best first. */
const COMPRESSED = [
  ['br', '.br'],
  ['gzip', '.gz'],
] as const;

/** As much of Vite's manifest as names files. */
const manifestSchema = z.record(
  z.string(),
  z.object({ file: z.string(), css: z.array(z.string()).default([]), assets: z.array(z.string()).default([]) }),
);

/**
 * Reads what Vite has built: the shell, the files that its manifest names, whose names have a hash, and those that stand
 * beside the shell, whose names have none. Throws MonitorFilesError where it is not there, or not whole.
 */
export function loadMonitorFiles(folder: string): MonitorFiles {
  const manifest = manifestSchema.safeParse(JSON.parse(readText(folder, MANIFEST)));
  if (!manifest.success) throw new MonitorFilesError(`${join(folder, MANIFEST)}: expected a manifest of Vite`);
  const hashed = new Set(
    Object.values(manifest.data)
      .flatMap(({ file, css, assets }) => [file, ...css, ...assets])
      // The shell's own entry names it, where it has one.
      .filter((path) => path !== SHELL),
  );
  const plain = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== SHELL && extname(entry.name) in TYPES)
    .map(({ name }) => name);
  const files = new Map<string, MonitorFile>();
  for (const path of plain) files.set(path, readFile(folder, path, false));
  for (const path of hashed) files.set(path, readFile(folder, path, true));
  return { shell: readFile(folder, SHELL, false), files };
}

/**
 * GET /monitor and all below it that no route before has taken. A path without a dot is a view: the page's own router knows
 * it. What has a dot is a file, and one that is not there is told so in text: a page of before a release must not take the
 * shell for a script.
 */
export function serveMonitorFiles({ shell, files }: MonitorFiles): RequestHandler {
  return (req, res) => {
    if (req.method !== 'GET' && req.method !== 'HEAD') {
      throw new HttpProblem('method_not_allowed', 'Expected GET, HEAD', { headers: { Allow: 'GET, HEAD' } });
    }
    res.set(MONITOR_HEADERS);
    const path = req.path.slice(1);
    const file = files.get(path);
    if (file !== undefined) send(req, res, file, file.immutable ? 'public, max-age=31536000, immutable' : 'no-cache');
    else if (!path.includes('.')) send(req, res, shell, 'no-store');
    else res.status(404).type('text/plain').send('Nothing is here: load the page again.\n');
  };
}

/** Express answers 304 itself where If-None-Match has the ETag. */
function send(req: Request, res: Response, { type, bodies }: MonitorFile, cacheControl: string): void {
  const encoding = COMPRESSED.map(([name]) => name).find((name) => bodies[name] !== undefined && accepts(req, name));
  const { bytes, etag } = bodies[encoding ?? 'identity'] ?? bodies.identity;
  if (encoding !== undefined) res.set('Content-Encoding', encoding);
  res.set({ 'Cache-Control': cacheControl, 'Content-Type': type, ETag: etag, Vary: 'Accept-Encoding' }).send(bytes);
}

/** RFC 9110, section 12.5.3; `*` is left aside, since what asks so can do without. */
function accepts(req: Request, encoding: string): boolean {
  return (req.headers['accept-encoding'] ?? '').split(',').some((part) => {
    const [name = '', ...parameters] = part.split(';').map((text) => text.trim().toLowerCase());
    return name === encoding && !parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter));
  });
}

function readFile(folder: string, path: string, immutable: boolean): MonitorFile {
  const type = TYPES[extname(path)];
  if (type === undefined) throw new MonitorFilesError(`${join(folder, path)}: expected a file of a known type`);
  const compressed = COMPRESSED.flatMap(([encoding, suffix]) => {
    const bytes = readIfThere(join(folder, `${path}${suffix}`));
    return bytes === null ? [] : [[encoding, toBody(bytes)] as const];
  });
  return { type, immutable, bodies: { ...Object.fromEntries(compressed), identity: toBody(read(folder, path)) } };
}

function toBody(bytes: Buffer): Body {
  return { bytes, etag: `"${createHash('sha256').update(bytes).digest('base64url')}"` };
}

function readText(folder: string, path: string): string {
  return read(folder, path).toString('utf8');
}

function read(folder: string, path: string): Buffer {
  const bytes = readIfThere(join(folder, path));
  if (bytes !== null) return bytes;
  throw new MonitorFilesError(
    `the monitor's page is not built (${join(folder, path)} is missing): run \`npm run build\` in a checkout, install the package anew, or start with OUTBOX_MONITOR=off`,
  );
}

function readIfThere(path: string): Buffer | null {
  try {
    return readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
