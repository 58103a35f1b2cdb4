/**
 * An address below another one: `https://h/monitor` and `https://h/monitor/` are the same one, its query and fragment
 * are not taken along. Each part becomes one segment, whatever stands in it.
 */
export function urlBelow(base: string, parts: readonly string[]): string {
  const path = base.replace(/[?#].*$/s, '').replace(/\/+$/, '');
  return [path, ...parts.map(urlPart)].join('/');
}

/** Of a path or a query. Half a surrogate, which `encodeURIComponent` throws at, becomes U+FFFD. */
export function urlPart(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}
