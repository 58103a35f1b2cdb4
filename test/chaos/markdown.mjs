/** A table of Markdown; a cell's own lines and bars stay within it. */
export function table(heads, rows) {
  if (rows.length === 0) return 'None.';
  const line = (cells) =>
    `| ${cells.map((cell) => `${cell}`.replaceAll(/\s+/g, ' ').replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(heads), `|${' --- |'.repeat(heads.length)}`, ...rows.map(line)].join('\n');
}
