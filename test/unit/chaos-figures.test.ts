/** What a page of metrics tells, for the comparison with SQL. Nothing is fake: pages written by hand. */
import { readScrape } from '../../src/main/chaos/compare-figures.js';

const up = (part: string, value: 0 | 1) =>
  `outbox_source_part_up{deployment="chaos",source="outbox_database",part="${part}"} ${value}`;
const page = (due: 0 | 1) =>
  [
    up('due', due),
    up('destinations', 1),
    up('letters', 1),
    'outbox_source_part_up{source="audit_database",part="due"} 1',
    'outbox_in_flight_runs{destination="a"} 2',
    'outbox_in_flight_runs{destination="b"} 3',
    'outbox_in_flight_runs_of_others{destination="b"} 9',
  ].join('\n');

test('gauges are added up over their labels; one without a series is 0 where its part was read', () => {
  expect(readScrape(200, page(1))).toEqual({ due: 0, running: 5, letters: 0 });
});

test('a part that was not read tells nothing', () => {
  expect(readScrape(200, page(0))).toEqual({ due: null, running: 5, letters: 0 });
});

test.each([
  ['an error with a page', 500, page(1)],
  ['another page', 200, 'Not found'],
  ['an empty page', 200, ''],
])('%s is not "nothing to count"', (_, status, text) => {
  expect(readScrape(status, text)).toEqual({ due: null, running: null, letters: null });
});
