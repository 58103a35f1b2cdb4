import { randomBytes } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { NOTE_TOOLS } from '../../application/audit/log/note-tools.js';
import { formatSignerKey, signerKey } from '../../domain/audit/note-key.js';

/** Made once for a data folder and kept in it (readable by its owner only), so that a second start finds the same keys. */
export interface DevSecrets {
  /** `id:hex`, the value of AUDIT_FINGERPRINT_KEYS. */
  readonly fingerprintKeys: string;
  /** The value of AUDIT_SIGNING_KEYS. */
  readonly signingKey: string;
  /** The worker's key for the audit log; null until one was created. */
  readonly auditApiKey: string | null;
  /** A key for the person at the terminal: what it writes is not taken for the outbox's. */
  readonly visitorKey: string | null;
}

export async function loadDevSecrets(file: string): Promise<DevSecrets> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  const kept = text === null ? {} : (JSON.parse(text) as Partial<DevSecrets>);
  // A folder of an older version lacks what came later.
  if (kept.fingerprintKeys !== undefined && kept.signingKey !== undefined) return kept as DevSecrets;
  const made: DevSecrets = {
    // An id of its own: another folder's key under the same id would make every resend a conflict.
    fingerprintKeys: `dev-${randomBytes(4).toString('hex')}:${randomBytes(32).toString('hex')}`,
    signingKey: formatSignerKey(signerKey(NOTE_TOOLS, `dev-${randomBytes(4).toString('hex')}`, randomBytes(32))),
    auditApiKey: null,
    visitorKey: null,
    ...kept,
  };
  await saveDevSecrets(file, made);
  return made;
}

/** Written aside and renamed: a kill leaves the old file or the new one. */
export async function saveDevSecrets(file: string, secrets: DevSecrets): Promise<void> {
  await writeFile(`${file}.new`, JSON.stringify(secrets, null, 2), { mode: 0o600 });
  await rename(`${file}.new`, file);
}
