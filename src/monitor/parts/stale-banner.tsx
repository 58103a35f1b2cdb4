import type { ReactNode } from 'react';
import { useLink } from '../data/stream.js';
import { useChangeSaid } from './announcer.js';
import { Notice } from './notice.js';
import { Time } from './time.js';

/** What is shown may no longer be so: said at once, and for as long as it is so. */
export function StaleBanner() {
  const { stale, heardAt, answers } = useLink();
  // That it is stale is said by the notice itself.
  useChangeSaid(stale ? 'stale' : 'not stale', stale ? null : 'Live again: what is shown is as of now');
  if (!stale) return null;
  const since =
    heardAt === null ? null : (
      <>
        Stale since <Time at={new Date(heardAt).toISOString()} />:
      </>
    );
  return (
    <Notice tone={answers ? 'warn' : 'bad'} urgent>
      <p>{answers ? <StreamAlone since={since} /> : <ApiSilent since={since} />} It is asked again by itself.</p>
    </Notice>
  );
}

interface SinceProps {
  /** null: nothing was ever told. */
  readonly since: ReactNode;
}

function ApiSilent({ since }: SinceProps) {
  if (since === null) return 'The api says nothing: nothing is known of how things stand.';
  return <>{since} the api says nothing any more. What is shown is of then.</>;
}

/** Too many pages, or a proxy that cuts the stream: no outage, and what is read by requests is as of now. */
function StreamAlone({ since }: SinceProps) {
  return (
    <>
      {since === null ? 'The overview is not known:' : <>{since} the overview is of then.</>} The api answers, and its
      stream does not come: too many pages of the monitor are open, or something between cuts it. Lists are as of now.
    </>
  );
}
