import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'wouter';
import type { FailedIngestFound } from '../../../contract/failed-ingest-api.js';
import { FAILED_INGEST_PATH } from '../../data/paths.js';
import { below, failedIngestQuery } from '../../data/queries.js';
import { queryClient } from '../../data/query-client.js';
import { postJson } from '../../data/request.js';
import { useSession } from '../../data/session-store.js';
import { setOutJson } from '../../logic/json-text.js';
import { ActButton, VIEWER_WHY } from '../../parts/act-button.js';
import { announce } from '../../parts/announcer.js';
import { Answer } from '../../parts/answer.js';
import { Card } from '../../parts/card.js';
import { Dialog } from '../../parts/dialog.js';
import { Fact, Facts } from '../../parts/facts.js';
import { Hostile } from '../../parts/hostile.js';
import { JsonBlock } from '../../parts/json-block.js';
import { Time } from '../../parts/time.js';
import { ViewTitle } from '../../parts/view-title.js';
import { WordForm } from '../../parts/word-form.js';

/** One event that the audit log could not store. */
export function FailedIngestView({ id }: { readonly id: string }) {
  const query = useQuery(failedIngestQuery(id));
  return (
    <>
      <ViewTitle title={`Not stored ${id.slice(0, 13)}…`}>
        <p>
          <Link href="/audit/not-stored">All that is not stored</Link>
        </p>
      </ViewTitle>
      <Answer query={query} what="It">
        {(found) => (
          <>
            <Acts found={found} />
            <Card title="What it is">
              <FoundFacts found={found} />
            </Card>
            {found.body !== null && (
              <Card title="What was sent">
                <JsonBlock what="what was sent" text={setOutJson(found.body)} />
              </Card>
            )}
          </>
        )}
      </Answer>
    </>
  );
}

type Verb = 'retry' | 'discard';
const STORE_MEANS = 'It becomes a record, as if its sender had sent it now.';
const DISCARD_MEANS = 'What was sent is given up for good.';

function Acts({ found }: { readonly found: FailedIngestFound }) {
  const { may } = useSession();
  const [verb, setVerb] = useState<Verb | null>(null);
  const open = found.state === 'open' ? null : `It is ${found.state}: only an open one can be acted on`;
  const why = may.changeDelivery ? open : VIEWER_WHY;
  return (
    <Card title="Act on it">
      <div>
        <ActButton primary why={why} onClick={() => setVerb('retry')}>
          Store it now
        </ActButton>{' '}
        <ActButton danger why={why} onClick={() => setVerb('discard')}>
          Discard
        </ActButton>
      </div>
      {why !== null && <p className="dim">{why}.</p>}
      {verb !== null && <ActDialog verb={verb} id={found.id} onClose={() => setVerb(null)} />}
    </Card>
  );
}

interface ActDialogProps {
  readonly verb: Verb;
  readonly id: string;
  readonly onClose: () => void;
}

function ActDialog({ verb, id, onClose }: ActDialogProps) {
  const act = useMutation({
    mutationFn: (reason: string) => postJson<unknown>(below(FAILED_INGEST_PATH, id, verb), { reason }),
    onSuccess: () => {
      announce(verb === 'retry' ? 'Tried: see its state' : 'Discarded');
      onClose();
    },
    onSettled: () => void queryClient.invalidateQueries({ queryKey: failedIngestQuery(id).queryKey }),
  });
  const stores = verb === 'retry';
  return (
    <Dialog title={stores ? 'Store it now' : 'Discard it'} onClose={onClose}>
      <WordForm
        act={stores ? 'Store it' : 'Discard'}
        danger={!stores}
        busy={act.isPending}
        error={act.error}
        refused={stores ? 'It is not stored by this' : 'It is not discarded by this'}
        onWord={act.mutate}
      >
        <p>{stores ? STORE_MEANS : DISCARD_MEANS}</p>
      </WordForm>
    </Dialog>
  );
}

function FoundFacts({ found }: { readonly found: FailedIngestFound }) {
  return (
    <Facts>
      <Fact name="State">{found.state}</Fact>
      <Fact name="Why">
        <Hostile text={found.code} code /> <Hostile text={found.message} />
      </Fact>
      <Fact name="Source">
        <Hostile text={found.source} />
      </Fact>
      <Fact name="Event id">
        <Hostile text={found.eventId} code />
      </Fact>
      <Fact name="Tenant">
        <Hostile text={found.tenantId} />
      </Fact>
      <Fact name="Sent by the key">
        <Hostile text={found.keyId} code />
      </Fact>
      <Fact name="Tries">{found.tries}</Fact>
      <Fact name="First">
        <Time at={found.firstAt} />
      </Fact>
      <Fact name="Last">
        <Time at={found.lastAt} />
      </Fact>
      {found.actor !== null && (
        <Fact name="Last asked by">
          <Hostile text={found.actor} />: <Hostile text={found.reason} />
        </Fact>
      )}
    </Facts>
  );
}
