import { existsSync } from 'node:fs';

/**
 * What the tarball holds, by top-level entry: nothing but these, and of each at least one. Whatever is new in it is told
 * here, or a test of the package fails.
 */
const PACKED: Record<string, RegExp> = {
  '.env.example': /^\.env\.example$/,
  'CHANGELOG.md': /^CHANGELOG\.md$/,
  'CONTRIBUTING.md': /^CONTRIBUTING\.md$/,
  LICENSE: /^LICENSE$/,
  'README.md': /^README\.md$/,
  'SECURITY.md': /^SECURITY\.md$/,
  // Declarations of the generated clients are a megabyte, and nothing that an application can import refers to them.
  dist: /^dist\/((src|workflows|activities)\/(?!.*generated\/.*\.d\.ts$).+(\.js|\.d\.ts)|src\/offline\/outbox-verify\.(mjs|d\.mts)|monitor\/(index\.html|\.vite\/manifest\.json|assets\/[\w.-]+)(\.br|\.gz)?|workflow-bundle(-traced)?\.js|policy\.schema\.json|src\/infrastructure\/prisma\/expected-schema\.json)$/,
  deploy: /^deploy\/[\w./-]+$/,
  docs: /^docs\/[\w./-]+\.md$/,
  examples: /^examples\/(producers\/[\w.-]+|sample-cloudtrail\.ndjson)$/,
  'package.json': /^package\.json$/,
  prisma: /^prisma\/(outbox|audit)\/migrations\/(migration_lock\.toml|\d+_\w+\/migration\.sql)$/,
};

/** Of what someone installs and runs, whatever folder it lies in. */
const NEVER =
  /(^|\/)(test|tests|__tests__|fixtures|node_modules|\.git|\.ci|\.data)\/|\.(test|spec)\.(?!yml$)|\.[cm]?js\.map$|\.tsbuildinfo$|(^|\/)\.env(?!\.example$)|\.(pem|key|p12|pfx|crt)$|(^|\/)(id_[a-z0-9]+|\.npmrc|\.pgpass)$/;

export const topOf = (path: string): string => path.split('/')[0] ?? '';
export const EXPECTED_TOPS: readonly string[] = Object.keys(PACKED)
  // Of what is packed it alone may be missing in a checkout.
  .filter((top) => top !== 'deploy' || existsSync(top))
  .sort();

/** Those that nothing here allows, or that no tarball may hold. */
export function strangersIn(paths: readonly string[]): string[] {
  return paths.filter((path) => NEVER.test(path) || !PACKED[topOf(path)]?.test(path));
}
