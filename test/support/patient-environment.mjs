/**
 * Node's test environment, with three times the patience. Every deadline of a test or of its set-up only bounds what is
 * broken, as `eventually` does: on a machine that does something else, too, what is right takes longer, and is right.
 */
import { TestEnvironment } from 'jest-environment-node';
import { PATIENCE } from './patience.ts';

export default class PatientEnvironment extends TestEnvironment {
  #prolonged = new WeakSet();

  handleTestEvent(event) {
    if (event.name === 'test_start') this.#prolong(event.test);
    if (event.name === 'hook_start') this.#prolong(event.hook);
  }

  #prolong(bounded) {
    if (this.#prolonged.has(bounded)) return;
    this.#prolonged.add(bounded);
    if (bounded.timeout) bounded.timeout *= PATIENCE;
  }
}
