/** Real: what an api refuses of its monitor's settings, and what it warns of. Fake: the log. */
import { checkMonitorSettings } from '../../src/main/start-monitor.js';

type Given = Parameters<typeof checkMonitorSettings>[0];

function check(given: Partial<Given>): readonly string[] {
  const warned: string[] = [];
  const log = { warn: (_: object, message: string) => void warned.push(message) };
  checkMonitorSettings({ host: '127.0.0.1', monitorSignIn: 'on', monitorUrl: undefined, ...given }, log);
  return warned;
}

const OUT_THERE = 'https://outbox.example/monitor/';

it('a page that asks nobody to sign in is of this machine: refused on another address, warned of behind a proxy', () => {
  expect(() => check({ host: '0.0.0.0', monitorSignIn: 'off', monitorUrl: OUT_THERE })).toThrow(
    /for this machine alone/,
  );
  expect(check({ monitorSignIn: 'off', monitorUrl: OUT_THERE })).toEqual(['monitor.without_sign_in']);
  for (const monitorUrl of [undefined, 'http://localhost:8080/monitor/', 'http://[::1]:8080/monitor/']) {
    expect(check({ monitorSignIn: 'off', monitorUrl })).toEqual([]);
  }
  expect(check({ monitorUrl: OUT_THERE })).toEqual([]);
});

it('a cookie that goes over a network without TLS is warned of', () => {
  expect(check({ host: '0.0.0.0' })).toEqual(['monitor.without_tls']);
  expect(check({ host: '0.0.0.0', monitorUrl: 'http://outbox.example/monitor/' })).toEqual(['monitor.without_tls']);
  expect(check({ host: '0.0.0.0', monitorUrl: OUT_THERE })).toEqual([]);
});
