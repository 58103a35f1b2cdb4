import config from './jest.config.js';

const [unit] = config.projects;
const files = ['classif*', 'decide-after-failure', 'policies', 'error-catalog', 'handlers'];
/** What Stryker runs: the tests of what it changes, which need neither servers nor a build. */
export default {
  ...unit,
  testTimeout: config.testTimeout,
  testMatch: files.map((name) => `<rootDir>/test/unit/${name}.test.ts`),
  testEnvironment: '@stryker-mutator/jest-runner/jest-env/node',
};
