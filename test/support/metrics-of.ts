/** The metrics and recorded series that an expression of PromQL asks for: names, without selectors, labels and text. */
export function metricsOf(expr: string): string[] {
  const names = expr
    .replace(/"[^"]*"/g, '')
    .replace(/\{[^}]*\}/g, '')
    .replace(/\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g, '');
  return [...new Set(names.match(/\b(deployment:)?(outbox|audit|temporal)_\w+(:\w+)?/g) ?? [])];
}
