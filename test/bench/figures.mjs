/**
 * The figures of the report. Each is a ratio a ÷ b of two contenders that take turns, or, without `b`, what `a` measures.
 *
 * @typedef {object} Side
 * @property {string} use the module in contenders/
 * @property {string} label
 * @property {object} [options] what its `prepare` gets
 * @property {number} [scale] of its runs, where it is not the figure's
 *
 * @typedef {object} Figure
 * @property {string} name for --only
 * @property {string} title
 * @property {Side} a
 * @property {Side} [b]
 * @property {string} [field] which number of `measure` is compared; default `perSecond`
 * @property {string} [unit] of that number; default `events/s`
 * @property {{ atLeast: number } | { atMost: number }} [goal] for the median; none: it is reported
 * @property {string} why what it tells
 * @property {number} [runs] how often, where it takes too long for as many as --pairs
 * @property {number} [scale] how many times --seconds one run takes
 * @property {boolean} [long] minutes for each run, or a million events: only with --long, or by its name
 * @property {Omit<Figure, 'a' | 'b'>[]} [more] what else the same runs tell, each a figure of its own in the report; `why` is
 *   that of the first unless given
 */

import { FIGURES_BESIDE_OTHERS } from './figures-beside-others.mjs';
import { FIGURES_OF_GROWTH } from './figures-of-growth.mjs';
import { FIGURES_OF_ONE_EVENT } from './figures-of-one-event.mjs';

const composed = { use: 'ours', label: 'composed', options: { roles: 'composed' } };
const apart = { use: 'ours', label: 'apart', options: { roles: 'apart' } };
const bare = (shape) => ({ use: 'bare-temporal', label: `bare ${shape}`, options: { shape } });
const coalesced = (size) => ({
  use: 'ours',
  label: `coalesced by ${size}`,
  options: { roles: 'composed', coalescing: size },
});

/** Some eight seconds, of which adaptive coalescing needs about one to find it. */
const ADAPTIVE_BACKLOG = 20_000;

/** @type {Figure[]} */
export const FIGURES = [
  {
    name: 'composed-eager',
    title: 'composed ÷ bare local + eager',
    a: composed,
    b: bare('local-eager'),
    goal: { atLeast: 0.85 },
    why: 'What the product adds to a run of Temporal’s cheapest shape: claim, mark, load, POST, record, settle. Ours counts from the end of a pause to the last event settled, bare from the first start at the server to the last close: tens of ms of a run, in part the same.',
  },
  {
    name: 'apart-local',
    title: 'apart ÷ bare local',
    a: apart,
    b: bare('local'),
    goal: { atLeast: 0.85 },
    why: 'The same with relay and worker in processes of their own, so without eager starts.',
  },
  {
    name: 'composed-regular',
    title: 'composed ÷ bare regular activity',
    a: composed,
    b: { use: 'bare-temporal', label: 'bare regular', options: { shape: 'regular', processes: 1 } },
    goal: { atLeast: 1.5 },
    why: 'What the fast first attempt gains over the usual way to write this workflow.',
  },
  ...[10, 50, 200, 500].map((size) => ({
    name: `coalesced-${size}`,
    title: `coalesced by ${size} ÷ composed`,
    a: coalesced(size),
    b: composed,
    why: 'What one run for many events gains over one run for each, behind a backlog.',
  })),
  {
    name: 'adaptive-200',
    title: 'adaptive, by 200 ÷ always coalesced by 200',
    a: {
      use: 'ours',
      label: 'adaptive, by 200',
      options: { roles: 'composed', coalescing: 200, mode: 'adaptive', waiting: ADAPTIVE_BACKLOG },
    },
    b: {
      use: 'ours',
      label: 'coalesced by 200, as many',
      options: { roles: 'composed', coalescing: 200, waiting: ADAPTIVE_BACKLOG },
    },
    why: 'What is lost of a backlog’s rate until it is counted, which happens once a second. Half a minute without a backlog lies before each run of the adaptive side.',
  },
  ...FIGURES_BESIDE_OTHERS,
  ...FIGURES_OF_ONE_EVENT,
  ...FIGURES_OF_GROWTH,
];
