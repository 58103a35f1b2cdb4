import { catalogEntry, isErrorCode } from '../../domain/delivery/error-catalog.js';
import { Hostile } from './hostile.js';

/** A code of what can go wrong. */
export function CodeName({ code }: { readonly code: string | null }) {
  return <Hostile text={code} code />;
}

/** When it happens, and what to do about it. */
export function CodeAdvice({ code }: { readonly code: string }) {
  if (!isErrorCode(code)) return <p>A code that this version does not know.</p>;
  const { when, advice } = catalogEntry(code);
  return (
    <div>
      <p>
        <Prose text={when} />.
      </p>
      <p>
        <strong>What to do:</strong> <Prose text={advice} />.
      </p>
    </div>
  );
}

/** The catalogue's own sentences: words between backticks are names. */
export function Prose({ text }: { readonly text: string }) {
  return text.split('`').map((part, index) =>
    index % 2 === 1 ? (
      // biome-ignore lint/suspicious/noArrayIndexKey: the sentence is the same as long as the code is
      <code key={index}>{part}</code>
    ) : (
      part
    ),
  );
}
