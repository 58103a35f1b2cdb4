import { fileURLToPath } from 'node:url';

const rootDir = fileURLToPath(new URL('..', import.meta.url));
// Another build than the sources, for what tests import of them: the planted bugs of test/chaos/planted. An absolute path.
const underTest = process.env.OUTBOX_UNDER_TEST_DIST;
const shared = {
  rootDir,
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts', '.mts'],
  moduleNameMapper: {
    ...(underTest && { '^(?:\\.\\./){2,3}((?:src|workflows|activities)/.*\\.js)$': `${underTest}/$1` }),
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  transform: {
    '^.+\\.m?ts$': [
      '@swc/jest',
      { jsc: { target: 'es2023', parser: { syntax: 'typescript' } }, module: { type: 'es6' }, sourceMaps: 'inline' },
    ],
  },
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/examples/', '<rootDir>/.data/', '<rootDir>/test-results/'],
};

// What of the integration tests is mostly about what a statement does, and needs PostgreSQL alone.
const ON_POSTGRES_15 = [
  'attempt-store',
  'audit-append-only',
  'audit-store',
  'batch-store',
  'books',
  'books-repair',
  'claim-lanes',
  'coalesced-claim',
  'count-waiting',
  'dead-letter-store',
  'delivery-store',
  'event-reader',
  'event-retention',
  'expected-schema',
  'figures',
  'log-sealer',
  'migrate',
  'notification-store',
  'ordered-claim',
  'record-event-sql',
  'retention',
  'run-under-lease',
];

const patient = { ...shared, testEnvironment: '<rootDir>/test/support/patient-environment.mjs' };

// Five projects: `unit` needs nothing, `system` needs the PostgreSQL and Temporal that its global set-up starts once,
// `browser` the same servers and a Chromium, `postgres15` a PostgreSQL 15 alone, `chaos` the machine for itself.
export default {
  testTimeout: 180_000,
  projects: [
    {
      ...shared,
      displayName: 'unit',
      testMatch: ['<rootDir>/test/{unit,architecture,contract}/**/*.test.ts'],
    },
    {
      ...patient,
      displayName: 'system',
      testMatch: ['<rootDir>/test/{integration,workflows,model,e2e}/**/*.test.ts'],
      globalSetup: '<rootDir>/test/support/global-setup.mjs',
      globalTeardown: '<rootDir>/test/support/global-teardown.mjs',
    },
    {
      ...patient,
      displayName: 'browser',
      testMatch: ['<rootDir>/test/browser/**/*.test.ts'],
      globalSetup: '<rootDir>/test/support/browser-setup.mjs',
      globalTeardown: '<rootDir>/test/support/global-teardown.mjs',
    },
    {
      ...patient,
      // Integration tests once more, on the oldest version of PostgreSQL that is promised.
      displayName: 'postgres15',
      testMatch: [`<rootDir>/test/integration/{${ON_POSTGRES_15.join(',')}}.test.ts`],
      globalSetup: '<rootDir>/test/support/postgres-15-setup.mjs',
      globalTeardown: '<rootDir>/test/support/global-teardown.mjs',
      setupFiles: ['<rootDir>/test/support/on-postgres-15.mjs'],
    },
    {
      ...shared,
      // Starts servers and roles of its own at a fixed load: what runs beside it would be one fault more.
      displayName: 'chaos',
      testMatch: ['<rootDir>/test/chaos/**/*.test.ts'],
    },
  ],
};
