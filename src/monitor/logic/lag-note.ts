/**
 * What is said beside the lag. An event that Temporal would not take is due anew from each try on, so that none keeps the
 * others from being tried: while that goes on, the lag is younger than those events are. `alerts`: null: not told.
 */
export function lagNote(due: string, alerts: readonly { readonly kind: string }[] | null): string {
  const refused = alerts?.some(({ kind }) => kind === 'relay_batch_failed') === true;
  return refused ? `${due} due; from their latest try on, as workflows cannot be started` : `${due} due`;
}
