import { apiKeyPrefix } from '../../application/audit/api-key-text.js';
import type { SignInLinks } from '../../application/audit/monitor/sign-in-links.js';
import type { ApiKeyStore } from '../../application/audit/ports.js';
import { MONITOR_PATH } from '../../contract/monitor-api.js';
import type { Settings } from '../../infrastructure/config/settings.js';

export interface SignInLinkDeps {
  /** Those of the api in this process. */
  readonly links: SignInLinks;
  readonly keys: Pick<ApiKeyStore, 'findByPrefix'>;
}

/**
 * Signs the person at the terminal in to the monitor as the key that dev has made for them: once, and within an hour. What
 * stands behind the # reaches no log, no proxy and no other page. null: there is no such key, or nobody signs in.
 */
export async function makeSignInLink(
  { links, keys }: SignInLinkDeps,
  { ops, monitor, monitorSignIn }: Pick<Settings, 'ops' | 'monitor' | 'monitorSignIn'>,
  { apiKey, apiPort }: { readonly apiKey: string | null; readonly apiPort: number | null },
): Promise<string | null> {
  if (ops === 'off' || monitor === 'off' || monitorSignIn === 'off' || apiPort === null) return null;
  const prefix = apiKey === null ? null : apiKeyPrefix(apiKey);
  const key = prefix === null ? null : await keys.findByPrefix(prefix);
  return key === null ? null : `http://127.0.0.1:${apiPort}${MONITOR_PATH}/sign-in#link=${links.make(key.id)}`;
}
