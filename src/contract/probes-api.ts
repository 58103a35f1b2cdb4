import { z } from 'zod';

/** What a load balancer or an orchestrator asks. */

export const LIVE_PATH = '/live';
export const READY_PATH = '/ready';
export const METRICS_PATH = '/metrics';

export const liveSchema = z.object({ status: z.literal('live') });
export const readySchema = z.object({ status: z.literal('ready') });
export const notReadySchema = z.object({ status: z.literal('not ready'), waitingFor: z.array(z.string()) });
