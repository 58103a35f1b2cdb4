import { useLink } from '../data/stream.js';
import { useChangeSaid } from './announcer.js';
import { Notice } from './notice.js';
import { Time } from './time.js';

/** What is shown may no longer be so: said at once, and for as long as it is so. */
export function StaleBanner() {
  const { stale, heardAt } = useLink();
  // That it is stale is said by the notice itself.
  useChangeSaid(stale ? 'stale' : 'not stale', stale ? null : 'The api answers again: what is shown is as of now');
  if (!stale) return null;
  return (
    <Notice tone="bad" urgent>
      <p>
        {heardAt === null ? (
          'The api says nothing: nothing is known of how things stand.'
        ) : (
          <>
            Stale since <Time at={new Date(heardAt).toISOString()} />: the api says nothing any more. What is shown is
            of then.
          </>
        )}{' '}
        It is asked again by itself.
      </p>
    </Notice>
  );
}
