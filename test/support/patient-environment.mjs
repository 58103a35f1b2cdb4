/**
 * Node's test environment, with three times the patience. Every deadline of a test or of its set-up, its own or the
 * configuration's, only bounds what is broken, as `eventually` does: on a machine that does something else, too, what is
 * right takes longer, and is right.
 */
import { TestEnvironment } from 'jest-environment-node';
import { PATIENCE } from './patience.ts';

export default class PatientEnvironment extends TestEnvironment {
  #prolonged = new WeakSet();

  /** `testTimeout`: the configuration's, or what the test's file has set since. */
  handleTestEvent(event, { testTimeout }) {
    if (event.name === 'test_start') this.#prolong(event.test, testTimeout);
    if (event.name === 'hook_start') this.#prolong(event.hook, testTimeout);
  }

  #prolong(bounded, testTimeout) {
    if (this.#prolonged.has(bounded)) return;
    this.#prolonged.add(bounded);
    bounded.timeout = (bounded.timeout || testTimeout) * PATIENCE;
  }
}
