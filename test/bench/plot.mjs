// A dot plot as SVG, written by hand: one row for each thing, a dot for each run, a bar from the least to the greatest, a mark
// at the median. It brings its own ground, so that it can be read on a light page and on a dark one.
import { show, spreadOf } from './run-pairs.mjs';

const WIDTH = 960;
const LEFT = 300;
const RIGHT = 210;
const ROW = 30;
const TOP = 56;
const BOTTOM = 58;

export const STYLE = `
text{font:13px system-ui,sans-serif;fill:#1f2328}.title{font-size:16px;font-weight:600}.soft{fill:#59636e}.bad{fill:#b3261e}
.ground{fill:#fff}.grid{stroke:#d1d9e0}.line{stroke:#1a7f37;stroke-width:2;stroke-dasharray:5 4}.range{stroke:#8c959f;stroke-width:3}
.dot{fill:#0969da;fill-opacity:.55}.dot.bad{fill:#cf222e}.median{stroke:#1f2328;stroke-width:3}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.soft{fill:#9198a1}.bad{fill:#ff8f87}.ground{fill:#0d1117}.grid{stroke:#3d444d}
.line{stroke:#3fb950}.range{stroke:#656c76}.dot{fill:#58a6ff;fill-opacity:.7}.dot.bad{fill:#ff7b72}.median{stroke:#e6edf3}}`;

/**
 * @param {{ title: string, axis: string, line?: number, logarithmic?: boolean,
 *   rows: { label: string, values: number[], note?: string, bad?: boolean }[] }} options `line`: a goal that all rows share;
 *   `note` stands right of a row, its spread unless said; `bad`: in another colour
 * @returns {string}
 */
export function dotPlot({ title, axis, line, logarithmic = false, rows }) {
  const height = TOP + rows.length * ROW + BOTTOM;
  const foot = height - BOTTOM;
  const scale = createScale(
    [...rows.flatMap(({ values }) => values), ...(line === undefined ? [] : [line])],
    logarithmic,
  );
  const grid = scale.ticks.map((tick) => {
    const x = scale.at(tick);
    return (
      `<line class="grid" x1="${x}" x2="${x}" y1="${TOP - 10}" y2="${foot}"/>` +
      `<text class="soft" x="${x}" y="${foot + 18}" text-anchor="middle">${show(tick)}</text>`
    );
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escapeXml(title)}">`,
    `<style>${STYLE}</style><rect class="ground" width="${WIDTH}" height="${height}"/>`,
    `<text class="title" x="16" y="28">${escapeXml(title)}</text>`,
    ...grid,
    ...rows.map((row, at) => drawRow(row, TOP + at * ROW + ROW / 2, scale)),
    ...(line === undefined
      ? []
      : [`<line class="line" x1="${scale.at(line)}" x2="${scale.at(line)}" y1="${TOP - 10}" y2="${foot}"/>`]),
    `<text class="soft" x="${(LEFT + WIDTH - RIGHT) / 2}" y="${height - 14}" text-anchor="middle">${escapeXml(axis)}</text>`,
    '</svg>\n',
  ].join('\n');
}

function drawRow({ label, values, note, bad = false }, y, scale) {
  const { median, min, max } = spreadOf(values);
  const said = note ?? `${show(median)} (${show(min)}–${show(max)})`;
  const mark = bad ? ' bad' : '';
  const [from, to, middle] = [min, max, median].map(scale.at);
  const dots = values.map((value) => `<circle class="dot${mark}" cx="${scale.at(value)}" cy="${y}" r="4.5"/>`);
  return [
    `<text x="${LEFT - 12}" y="${y + 4}" text-anchor="end">${escapeXml(label)}</text>`,
    `<line class="range" x1="${from}" x2="${to}" y1="${y}" y2="${y}"/>`,
    ...dots,
    `<line class="median" x1="${middle}" x2="${middle}" y1="${y - 9}" y2="${y + 9}"/>`,
    `<text class="${bad ? 'bad' : 'soft'}" x="${WIDTH - RIGHT + 14}" y="${y + 4}">${escapeXml(said)}</text>`,
  ].join('');
}

function createScale(values, logarithmic) {
  const usable = values.filter((value) => Number.isFinite(value) && (!logarithmic || value > 0));
  const ticks = logarithmic ? decades(Math.min(...usable), Math.max(...usable)) : steps(Math.max(...usable));
  const map = logarithmic ? Math.log10 : (value) => value;
  const [low, high] = [map(ticks[0]), map(ticks.at(-1))];
  const width = WIDTH - LEFT - RIGHT;
  return { ticks, at: (value) => Number((LEFT + ((map(value) - low) / (high - low)) * width).toFixed(1)) };
}

/** From 0, at most eight steps of 1, 2 or 5 times a power of ten. */
export function steps(max) {
  const rough = max / 8;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((one) => one >= rough);
  return Array.from({ length: Math.ceil(max / step) + 1 }, (_, n) => Number((n * step).toPrecision(12)));
}

/** 1, 2 and 5 times the powers of ten between which the values lie; the powers alone where that would be many. */
function decades(min, max) {
  const [from, to] = [Math.floor(Math.log10(min)), Math.ceil(Math.log10(max))];
  const parts = to - from > 3 ? [1] : [1, 2, 5];
  const all = Array.from({ length: to - from + 1 }, (_, n) => parts.map((part) => part * 10 ** (from + n))).flat();
  const [first, last] = [all.findLastIndex((tick) => tick <= min), all.findIndex((tick) => tick >= max)];
  return all.slice(first, Math.max(last, first + 1) + 1);
}

export function escapeXml(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
