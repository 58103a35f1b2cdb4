import type { Letter } from '../../data/types.js';
import { plainText } from '../../logic/hostile.js';
import { readResponse } from '../../logic/last-response.js';
import { Card } from '../../parts/card.js';
import { Fact, Facts } from '../../parts/facts.js';
import { Hostile } from '../../parts/hostile.js';
import { JsonBlock } from '../../parts/json-block.js';

/** What the destination answered last, and where the handler failed. All of it was redacted when it was written. */
export function FailureCard({ letter: { response, field, stack, causes } }: { readonly letter: Letter }) {
  const read = readResponse(response);
  return (
    <Card title="Last response and stack">
      {read === null ? (
        <p className="dim">The destination never answered.</p>
      ) : (
        <>
          <Facts>
            <Fact name="Status">{read.status === null ? <Hostile text={null} /> : read.status}</Fact>
            {read.headers.map(([name, value]) => (
              <Fact key={name} name={plainText(name)}>
                <Hostile text={value} code />
              </Fact>
            ))}
          </Facts>
          {read.body !== null && <JsonBlock what="last response" text={read.body} />}
        </>
      )}
      {field !== null && (
        <Facts>
          <Fact name="Field">
            <Hostile text={field} code />
          </Fact>
        </Facts>
      )}
      {stack !== null && (
        <details>
          <summary>Stack</summary>
          <JsonBlock what="stack" text={stack} />
        </details>
      )}
      {Array.isArray(causes) && causes.length > 0 && (
        <details>
          <summary>Causes</summary>
          <JsonBlock what="causes" text={JSON.stringify(causes, null, 2)} />
        </details>
      )}
    </Card>
  );
}
