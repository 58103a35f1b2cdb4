import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { redactedPayloadQuery } from '../data/queries.js';
import { Answer } from './answer.js';
import { Card } from './card.js';
import { Hostile } from './hostile.js';
import { JsonBlock } from './json-block.js';

export interface PayloadCardProps {
  readonly of: 'event' | 'letter';
  readonly id: string;
  /** How often it was edited: another number, another payload. */
  readonly edits: number;
}

/** What the next attempt sends, without what is personal or secret; read when somebody asks for it. */
export function PayloadCard({ of, id, edits }: PayloadCardProps) {
  const [open, setOpen] = useState(false);
  return (
    <Card title="Payload">
      <details onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary>Show it, without what is personal or secret</summary>
        {open && <Redacted of={of} id={id} edits={edits} />}
      </details>
    </Card>
  );
}

function Redacted({ of, id, edits }: PayloadCardProps) {
  const query = useQuery(redactedPayloadQuery(of, id, edits));
  return (
    <Answer query={query} what="The payload">
      {({ payload, redacted }) => (
        <>
          <JsonBlock what="payload" text={JSON.stringify(payload, null, 2)} />
          {redacted.length > 0 && (
            <p className="dim">
              Taken out, or a part of it: <Hostile text={redacted.join(', ')} code />
            </p>
          )}
        </>
      )}
    </Answer>
  );
}
