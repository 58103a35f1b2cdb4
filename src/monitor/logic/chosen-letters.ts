/** What somebody chose of one list. */
export interface Choice {
  /** Which list: what was chosen in one is not in another. */
  readonly list: string;
  readonly ids: ReadonlySet<string>;
}

/**
 * What may be acted on of it: only what is in sight now, and in the list. What another list, another page or "show the list as
 * it is now" took out of sight is not chosen any more. `shown` is empty while the list itself is not there.
 */
export function chosenOf(choice: Choice | null, list: string, shown: readonly { readonly id: string }[]) {
  if (choice === null || choice.list !== list) return new Set<string>();
  return new Set(shown.map(({ id }) => id).filter((id) => choice.ids.has(id)));
}
