/**
 * Names and ids come from producers and may hold anything a column takes. What a person's terminal, browser or chat could
 * act upon is made visible here instead; what is left is one line of printable characters.
 */

const LINE_BREAKS_AND_TABS = /[\t\n\v\f\r\u0085\u2028\u2029]+/g;
/** Control characters (ANSI begins with one), invisible ones and those that turn the direction of text (Trojan Source). */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Co}]/gu;

/** One line; line breaks and tabs become a space, every other invisible character U+FFFD. At most `maxLength` long. */
export function plainText(text: string, maxLength: number): string {
  return cutText(text.toWellFormed().replaceAll(LINE_BREAKS_AND_TABS, ' ').replaceAll(INVISIBLE, '\uFFFD'), maxLength);
}

/** At most `maxLength` UTF-16 units, cut between two characters, an ellipsis for what is gone. */
export function cutText(text: string, maxLength: number): string {
  if (text.length <= maxLength) return text;
  const end = isHighSurrogate(text.charCodeAt(maxLength - 2)) ? maxLength - 2 : maxLength - 1;
  return `${text.slice(0, end)}…`;
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}

/** The address of a link as a browser would take it, with nothing in it that could end a link; null for all but http(s). */
export function safeLink(url: string | null): string | null {
  if (url === null || !URL.canParse(url)) return null;
  const { protocol, username, password, href } = new URL(url);
  if (!['http:', 'https:'].includes(protocol) || username !== '' || password !== '') return null;
  const safe = href.replaceAll(/[<>|"'`\\]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
  return safe.length > LINK_LENGTH ? null : safe;
}

/** Cutting a link breaks it, so a longer one is left out. */
const LINK_LENGTH = 1_000;
