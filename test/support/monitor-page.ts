/** Steps on the monitor's page that several tests take, by what a person sees: roles and names. */
import type { Locator, Page } from 'playwright-core';
import { eventually } from './eventually.js';

/** A part of a view, by its heading. */
export function region(page: Page, name: string): Locator {
  return page.getByRole('region', { name, exact: true });
}

/** The row of a table that holds the text. */
export function rowOf(page: Page, table: string, text: string | RegExp): Locator {
  return page.getByRole('table', { name: table, exact: true }).getByRole('row').filter({ hasText: text });
}

/** The large number of the overview under this label, as text. */
export function tile(page: Page, label: string): Locator {
  return page
    .locator('#now > div')
    .filter({ has: page.getByRole('term').getByText(label, { exact: true }) })
    .getByRole('definition')
    .first();
}

/** What a fact under this name says, within a part of a view. */
export function fact(within: Locator, name: string): Locator {
  const named = within.page().getByRole('term').getByText(name, { exact: true });
  return within.locator('dl > div').filter({ has: named }).getByRole('definition');
}

/**
 * Opens every part that can be opened, until all these are to be seen and nothing is closed or still being read. A part may come
 * later than another one, with the next message of the stream or the answer to what an opened one asks for.
 */
export async function openAll(page: Page, ...shown: readonly Locator[]): Promise<void> {
  await eventually(`all of it open, with ${shown.join(' and ')}`, async () => {
    if ((await page.evaluate<number>(OPEN_CLOSED)) > 0) return false;
    if (await page.getByText(': being read').first().isVisible()) return false;
    return (await Promise.all(shown.map((one) => one.isVisible()))).every(Boolean);
  });
}

/** How many it has opened. */
const OPEN_CLOSED = `(() => {
  const closed = document.querySelectorAll('details:not([open])');
  for (const details of closed) details.open = true;
  return closed.length;
})()`;

export async function untilText(what: Locator, text: string | RegExp, withinMs?: number): Promise<void> {
  const fits = (found: string) => (typeof text === 'string' ? found === text : text.test(found));
  let last = '';
  try {
    await eventually(
      `${what} to say ${text}`,
      async () => {
        last = ((await what.textContent({ timeout: 1_000 })) ?? '').trim();
        return fits(last);
      },
      withinMs,
    );
  } catch (error) {
    throw new Error(`expected ${text}, and it says: ${last}`, { cause: error });
  }
}

/**
 * Waits until a list that is open has it, without loading anything anew: what is new in it is counted on a button, and shown
 * when a person asks for it.
 */
export async function untilListed(page: Page, wanted: Locator): Promise<void> {
  const fresh = page.getByRole('button', { name: /^\d+ new: show$/ });
  await eventually(
    'it in the list',
    async () => {
      if (await wanted.isVisible()) return true;
      if (await fresh.first().isVisible()) await fresh.first().click({ timeout: 2_000 });
      return false;
    },
    40_000,
  );
}

/** Gives a reason in the dialog that is open and does what its button says; until it is closed. */
export async function giveReason(page: Page, dialog: string | RegExp, reason: string, act: string): Promise<void> {
  const open = page.getByRole('dialog', { name: dialog });
  await open.getByLabel('Reason').fill(reason);
  await open.getByRole('button', { name: act, exact: true }).click();
  await open.waitFor({ state: 'hidden' });
}

/** By the navigation, as everybody comes there. */
export async function goTo(page: Page, view: string): Promise<void> {
  await page.getByRole('navigation', { name: 'Views' }).getByRole('link', { name: view, exact: true }).click();
  await page.getByRole('heading', { name: view, exact: true, level: 1 }).waitFor();
}
