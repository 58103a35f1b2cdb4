import { QueryClient } from '@tanstack/react-query';
import { RequestError } from './request.js';

const TRIES_AGAIN = 2;

/**
 * What was read lately is shown at once and read again. Whether the browser thinks that it is online says nothing of
 * the way to the api, which may be on this very machine.
 */
export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      networkMode: 'always',
      staleTime: 2_000,
      gcTime: 60_000,
      retry: (failures, error) => error instanceof RequestError && error.retryable && failures < TRIES_AGAIN,
    },
    mutations: { networkMode: 'always', retry: false },
  },
});
