/** I8: the audit log is what was sealed and signed, by the same use case as `outbox audit verify`. */
import { setTimeout as sleep } from 'node:timers/promises';
import { NOTE_TOOLS } from '../../application/audit/log/note-tools.js';
import type { VerifyReport } from '../../application/audit/verify/report.js';
import { verifyLog } from '../../application/audit/verify/verify-log.js';
import { createFileAnchor } from '../../infrastructure/anchor/file-anchor.js';
import { loadSettings } from '../../infrastructure/config/load-settings.js';
import { createLeafStore } from '../../infrastructure/prisma/leaf-store.js';
import { createVerifyStore } from '../../infrastructure/prisma/verify-store.js';
import { openLogKeys } from '../open-log-keys.js';
import type { Look } from './look-at-end.js';
import type { ChaosWorld } from './ports.js';

/** What a sealer still has to do is waited for. */
const TRIES = 30;
const PAUSE_MS = 2_000;

export async function verifyAuditLog({ audit, environment }: Pick<ChaosWorld, 'audit' | 'environment'>): Promise<Look> {
  const settings = loadSettings(environment, ['audit']);
  const keys = openLogKeys(settings);
  if (keys === null) {
    return { looked: [], problems: [], missing: ['I8: the log has no keys, so nothing of it was verified'] };
  }
  const { auditAnchorFile } = settings;
  const verify = verifyLog({
    store: createVerifyStore(audit),
    leaves: createLeafStore(audit),
    tools: NOTE_TOOLS,
    keys,
    anchor: auditAnchorFile === undefined ? null : createFileAnchor(auditAnchorFile),
  });
  let report = await verify({});
  for (let tries = 1; tries < TRIES && !isWhole(report); tries += 1) {
    if (Object.keys(report.counts).length > 0) break;
    await sleep(PAUSE_MS);
    report = await verify({});
  }
  const { breaks, counts, records, size, pending, signedSize, anchoredSize } = report;
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const anchor = anchoredSize === null ? 'no anchor' : `anchored up to ${anchoredSize}`;
  return {
    looked: [`I8: ${records} records of ${size} leaves verified, signed up to ${signedSize}, ${anchor}`],
    problems: [
      ...breaks.map(({ kind, index, recordId, what }) => `I8 ${recordId ?? `leaf ${index}`}: ${kind}: ${what}`),
      ...(total > breaks.length ? [`I8: ${total - breaks.length} more breaks of the log`] : []),
    ],
    missing: [
      ...(pending > 0 ? [`I8: ${pending} records are not sealed yet, so nothing verifies them`] : []),
      ...(signedSize < size ? [`I8: the log is signed up to ${signedSize} of ${size} only`] : []),
    ],
  };
}

function isWhole({ pending, signedSize, size }: VerifyReport): boolean {
  return pending === 0 && signedSize === size;
}
