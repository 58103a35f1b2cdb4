/** What the deployment files set, judged as the processes would: settings by settings.ts, Temporal's by their list. */
import { loadSettings } from '../../src/infrastructure/config/load-settings.js';
import { definitionOf, SETTING_KEYS, type SettingsUser, variableOf } from '../../src/infrastructure/config/settings.js';
import { TEMPORAL_VARIABLES } from '../../src/infrastructure/config/temporal-variables.js';
import { imageEnvironment } from './docker-file.js';

const SECRET_SETTINGS = SETTING_KEYS.filter((key) => definitionOf(key).secret).map(variableOf);
export const isSecret = (variable: string) =>
  SECRET_SETTINGS.includes(variable) || /PASSWORD|PWD|SECRET|API_KEY/.test(variable);

/** Of every variable a value that fits, so that what is missing or unknown is seen, and nothing else. */
export const SAMPLES: Record<string, string> = {
  AUDIT_FINGERPRINT_KEYS: `k1:${'ab'.repeat(32)}`,
  AUDIT_SECRET_KEY: 'ab'.repeat(32),
  OUTBOX_AUDIT_API_KEY: 'a-key',
  OUTBOX_DATABASE_URL: 'postgresql://o:p@db/shop',
  AUDIT_DATABASE_URL: 'postgresql://a:p@db/audit',
  AUDIT_SIGNING_KEYS: '',
  TEMPORAL_API_KEY: 'a-key',
};
const USERS: Record<string, SettingsUser> = { migrate: 'migrate', grants: 'grants outbox' };
const userOf = (command: string) => USERS[command] ?? (command as SettingsUser);

/** What this process would say of its settings; Temporal's and OpenTelemetry's own are held against their lists. */
export function problemsOf(environment: Record<string, string>, command: string): string[] {
  const others = Object.keys(environment).filter((name) => name.startsWith('TEMPORAL_'));
  const unknown = others.filter((name) => !(TEMPORAL_VARIABLES as readonly string[]).includes(name));
  try {
    loadSettings({ ...imageEnvironment(), ...environment }, [userOf(command)]);
    return unknown;
  } catch (error) {
    return [...unknown, (error as Error).message];
  }
}
