/** Text that PostgreSQL stores: U+0000 and lone surrogates become U+FFFD. */
export function fitText(text: string): string {
  return fitsText(text) ? text : text.toWellFormed().replaceAll('\u0000', '\ufffd');
}

/** Whether it can be stored as it is. */
export function fitsText(text: string): boolean {
  return text.isWellFormed() && !text.includes('\u0000');
}

/** Text that can be stored, cut to `max` UTF-16 code units between two characters. */
export function cutText(text: string, max: number): string {
  const fitted = fitText(text);
  if (fitted.length <= max) return fitted;
  const end = isHighSurrogate(fitted.charCodeAt(max - 1)) ? max - 1 : max;
  return fitted.slice(0, end);
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}
