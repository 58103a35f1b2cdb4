import { Hostile } from '../../parts/hostile.js';

/** An event type, or all that are not named. */
export function TypeName({ type }: { readonly type: string }) {
  return type === '*' ? <span>all others (*)</span> : <Hostile text={type} />;
}
