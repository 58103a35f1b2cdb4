import { withLocalTimes } from '../logic/format.js';
import { capital } from '../logic/headline.js';
import { Hostile } from './hostile.js';

/** A sentence of the server's, with its times as all others on the page are. Names of others may stand in it. */
export function Sentence({ text }: { readonly text: string }) {
  return <Hostile text={capital(withLocalTimes(text))} />;
}
