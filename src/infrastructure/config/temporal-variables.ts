import type { Environment } from './load-settings.js';
import { nearestName } from './nearest-name.js';

/** What `@temporalio/envconfig` 1.23 reads (a test compares); names that begin with TEMPORAL_GRPC_META_ besides. */
export const TEMPORAL_VARIABLES = [
  'TEMPORAL_ADDRESS',
  'TEMPORAL_API_KEY',
  'TEMPORAL_CODEC_AUTH',
  'TEMPORAL_CODEC_ENDPOINT',
  'TEMPORAL_CONFIG_FILE',
  'TEMPORAL_NAMESPACE',
  'TEMPORAL_PROFILE',
  'TEMPORAL_TLS',
  'TEMPORAL_TLS_CLIENT_CERT_DATA',
  'TEMPORAL_TLS_CLIENT_CERT_PATH',
  'TEMPORAL_TLS_CLIENT_KEY_DATA',
  'TEMPORAL_TLS_CLIENT_KEY_PATH',
  'TEMPORAL_TLS_DISABLE_HOST_VERIFICATION',
  'TEMPORAL_TLS_SERVER_CA_CERT_DATA',
  'TEMPORAL_TLS_SERVER_CA_CERT_PATH',
  'TEMPORAL_TLS_SERVER_NAME',
] as const;

const PREFIX = 'TEMPORAL_';

/**
 * Variables that nobody reads and that look like a mistyped one of Temporal's own, each with the one that may be meant. Not
 * refused, since other programs have names with this prefix, too; without a word a mistyped address would be localhost.
 */
export function mistypedTemporalVariables(environment: Environment): { variable: string; nearest: string }[] {
  return Object.keys(environment)
    .filter((variable) => variable.startsWith(PREFIX) && environment[variable] !== '')
    .filter((variable) => !(TEMPORAL_VARIABLES as readonly string[]).includes(variable))
    .filter((variable) => !variable.startsWith('TEMPORAL_GRPC_META_'))
    .sort()
    .flatMap((variable) => {
      const nearest = nearestName(variable, TEMPORAL_VARIABLES);
      // A third of its letters, so that a short name is not taken for any other short one.
      if (nearest === null || nearest.away > Math.floor((nearest.name.length - PREFIX.length) / 3)) return [];
      return [{ variable, nearest: nearest.name }];
    });
}
