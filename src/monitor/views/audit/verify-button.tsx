import { useMutation } from '@tanstack/react-query';
import { useLocation } from 'wouter';
import type { Verification } from '../../../contract/verifications-api.js';
import { VERIFICATIONS_PATH } from '../../data/paths.js';
import { verificationsQuery } from '../../data/queries.js';
import { queryClient } from '../../data/query-client.js';
import { postJson } from '../../data/request.js';
import { useSession } from '../../data/session-store.js';
import { ActButton, VIEWER_WHY } from '../../parts/act-button.js';
import { ActError } from '../../parts/act-error.js';
import { announce } from '../../parts/announcer.js';

const LOOK = 'look at the verifications before you ask again';

/**
 * Asks a worker to verify the log, or the part that a record stands in. Whoever asks for the same meanwhile gets the
 * same.
 */
export function VerifyButton({ recordId }: { readonly recordId: string | null }) {
  const { may, tenantId } = useSession();
  const [, navigate] = useLocation();
  const ask = useMutation({
    mutationFn: () => postJson<Verification>(VERIFICATIONS_PATH, recordId === null ? {} : { recordId }),
    onSuccess: () => {
      announce('A verification is asked for');
      void queryClient.invalidateQueries({ queryKey: verificationsQuery().queryKey });
      if (recordId !== null) navigate('/audit/log');
    },
  });
  const bound = tenantId === null ? null : 'The log is of all tenants, and your key is bound to one';
  return (
    <>
      <div>
        <ActButton why={may.changeDelivery ? bound : VIEWER_WHY} busy={ask.isPending} onClick={() => ask.mutate()}>
          {recordId === null ? 'Verify the whole log' : 'Verify its part of the log'}
        </ActButton>
      </div>
      {ask.error !== null && <ActError error={ask.error} refused="It is not asked for" look={LOOK} />}
    </>
  );
}
