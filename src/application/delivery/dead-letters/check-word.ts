import type { PersonsWord } from './redrive-ports.js';

/** @throws TypeError for an actor or a reason that does not fit */
export function checkWord({ actor, reason }: PersonsWord): void {
  if (actor.length < 1 || actor.length > 200) throw new TypeError('actor: expected 1 to 200 characters');
  if (reason.length < 1 || reason.length > 1_000) throw new TypeError('reason: expected 1 to 1,000 characters');
}
