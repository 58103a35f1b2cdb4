// A line plot as SVG, for what is sampled over time. It looks as the dot plot does.
import { escapeXml, STYLE, steps } from './plot.mjs';
import { show } from './run-pairs.mjs';

const WIDTH = 960;
const HEIGHT = 420;
const EDGE = { left: 70, right: 170, top: 56, bottom: 58 };
const COLOURS = ['#0969da', '#1a7f37', '#bf3989', '#9a6700'];

/**
 * @param {{ title: string, x: string, y: string, lines: { label: string, points: [number, number][] }[] }} options both axes
 *   begin at 0
 * @returns {string}
 */
export function linePlot({ title, x, y, lines }) {
  const points = lines.flatMap((line) => line.points);
  const across = scaleOf(Math.max(...points.map(([at]) => at)), EDGE.left, WIDTH - EDGE.right);
  const up = scaleOf(Math.max(...points.map(([, value]) => value)), HEIGHT - EDGE.bottom, EDGE.top);
  const foot = HEIGHT - EDGE.bottom;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeXml(title)}">`,
    `<style>${STYLE}polyline{fill:none;stroke-width:2}</style><rect class="ground" width="${WIDTH}" height="${HEIGHT}"/>`,
    `<text class="title" x="16" y="28">${escapeXml(title)}</text>`,
    ...across.ticks.map(
      (tick) =>
        `<line class="grid" x1="${across.at(tick)}" x2="${across.at(tick)}" y1="${EDGE.top}" y2="${foot}"/>` +
        `<text class="soft" x="${across.at(tick)}" y="${foot + 18}" text-anchor="middle">${show(tick)}</text>`,
    ),
    ...up.ticks.map(
      (tick) =>
        `<line class="grid" x1="${EDGE.left}" x2="${WIDTH - EDGE.right}" y1="${up.at(tick)}" y2="${up.at(tick)}"/>` +
        `<text class="soft" x="${EDGE.left - 8}" y="${up.at(tick) + 4}" text-anchor="end">${show(tick)}</text>`,
    ),
    ...lines.map(({ label, points: own }, n) => {
      const colour = COLOURS[n % COLOURS.length];
      const [, last] = own.at(-1);
      return (
        `<polyline stroke="${colour}" points="${own.map(([at, value]) => `${across.at(at)},${up.at(value)}`).join(' ')}"/>` +
        `<text x="${WIDTH - EDGE.right + 12}" y="${up.at(last) + 4}" style="fill:${colour}">${escapeXml(label)}</text>`
      );
    }),
    `<text class="soft" x="${(EDGE.left + WIDTH - EDGE.right) / 2}" y="${HEIGHT - 14}" text-anchor="middle">${escapeXml(x)}</text>`,
    `<text class="soft" x="${EDGE.left}" y="${EDGE.top - 8}">${escapeXml(y)}</text>`,
    '</svg>\n',
  ].join('\n');
}

function scaleOf(most, from, to) {
  const ticks = steps(most);
  return { ticks, at: (value) => Number((from + (value / ticks.at(-1)) * (to - from)).toFixed(1)) };
}
