import { useSession } from '../../data/session-store.js';
import { whyNotAll } from '../../logic/records-of.js';
import { Notice } from '../../parts/notice.js';

/** Of a key that reads no tenant's records: then that none are found says nothing of those. */
export function TenantNotice() {
  const session = useSession();
  const why = whyNotAll(session);
  if (why === null) return null;
  return (
    <Notice tone="warn">
      <p>{why}.</p>
    </Notice>
  );
}
