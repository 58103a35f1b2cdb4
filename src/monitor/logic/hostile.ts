/**
 * Text of others (an event, a response, a record, a person) as it may be shown: what nobody would see, or what would
 * turn the text beside it around, becomes a visible mark.
 */

export interface Piece {
  readonly text: string;
  /** It stands for a character that would not show itself. */
  readonly mark: boolean;
}

export interface MarkedText {
  readonly pieces: readonly Piece[];
  /** Characters behind the limit. */
  readonly left: number;
}

/**
 * Controls, format characters (bidirectional ones, zero-width ones, tags), lone surrogates, the two separators of
 * lines, and letters that are blank. A surrogate in a pair is none of them, for `u` reads the pair as one.
 */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\u115f\u1160\u2800\u3164\uffa0]/gu;

/** `limit`: in UTF-16 code units; a pair of surrogates is not cut. Line feeds and tabs stay what they are. */
export function markText(text: string, limit = Number.POSITIVE_INFINITY): MarkedText {
  const shown = text.length <= limit ? text : text.slice(0, cutBefore(text, limit));
  const pieces: Piece[] = [];
  let from = 0;
  for (const { 0: unseen, index } of shown.matchAll(UNSEEN)) {
    if (unseen === '\n' || unseen === '\t') continue;
    if (index > from) pieces.push({ text: shown.slice(from, index), mark: false });
    pieces.push({ text: escapeOf(unseen), mark: true });
    from = index + unseen.length;
  }
  if (from < shown.length) pieces.push({ text: shown.slice(from), mark: false });
  return { pieces, left: text.length - shown.length };
}

/** The same in one text, for where there is room for text only: a title, an attribute. */
export function plainText(text: string, limit?: number): string {
  const { pieces, left } = markText(text, limit);
  return pieces.map((piece) => piece.text).join('') + (left > 0 ? '…' : '');
}

/**
 * The same for being copied: what would not be seen, or what would do something where it is pasted (a terminal's controls), is
 * written as JSON writes it. Of JSON text it means the same.
 */
export function copyableText(text: string): string {
  return text.replaceAll(UNSEEN, (unseen) => {
    if (unseen === '\n' || unseen === '\t') return unseen;
    return Array.from({ length: unseen.length }, (_, at) => escapeOf(unseen.charAt(at))).join('');
  });
}

/** An address that a link may lead to: one of the web, or of this origin. Others (`javascript:`, `data:`) are none. */
export function safeHref(address: string | null): string | null {
  return address !== null && /^(https?:\/\/|\/(?![/\\]))/i.test(address) ? address : null;
}

function cutBefore(text: string, limit: number): number {
  const unit = text.charCodeAt(limit - 1);
  return unit >= 0xd800 && unit <= 0xdbff ? limit - 1 : limit;
}

function escapeOf(character: string): string {
  const hex = (character.codePointAt(0) ?? 0).toString(16).toUpperCase();
  return hex.length <= 4 ? `\\u${hex.padStart(4, '0')}` : `\\u{${hex}}`;
}
