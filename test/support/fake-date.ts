/** For `jest.useFakeTimers`: all of the clock but the date goes on as it is, so that pools, sockets and timers work. */
export const NOT_THE_DATE = [
  ...([
    'hrtime',
    'nextTick',
    'performance',
    'queueMicrotask',
    'requestAnimationFrame',
    'cancelAnimationFrame',
  ] as const),
  ...(['requestIdleCallback', 'cancelIdleCallback', 'setImmediate', 'clearImmediate'] as const),
  ...(['setInterval', 'clearInterval', 'setTimeout', 'clearTimeout'] as const),
];
