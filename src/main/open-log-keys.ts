import { type LogKeys, logKeys } from '../application/audit/log/log-keys.js';
import { NoteKeyError } from '../domain/audit/note-key.js';
import { ConfigurationError } from '../infrastructure/config/load-settings.js';
import type { Settings } from '../infrastructure/config/settings.js';

/** The keys of the log as the settings name them; null where none is named. Throws ConfigurationError. */
export function openLogKeys(settings: Settings): LogKeys | null {
  const { auditSigningKeys: signers = [], auditVerifierKeys: verifiers = [] } = settings;
  const base = settings.auditLogOrigin ?? [...signers, ...verifiers][0]?.name;
  if (base === undefined || signers.length + verifiers.length === 0) return null;
  try {
    return logKeys({ base, signers, verifiers });
  } catch (error) {
    if (!(error instanceof NoteKeyError)) throw error;
    throw new ConfigurationError([`AUDIT_SIGNING_KEYS, AUDIT_VERIFIER_KEYS, AUDIT_LOG_ORIGIN: ${error.message}`]);
  }
}
