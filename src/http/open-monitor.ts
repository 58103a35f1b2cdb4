import type { FingerprintKeys } from '../application/audit/fingerprint.js';
import { createSessions } from '../application/audit/monitor/authenticate-session.js';
import { createPasswordHasher } from '../application/audit/monitor/hash-password.js';
import type { OperatorStore, SessionStore } from '../application/audit/monitor/ports.js';
import { sessionTokens } from '../application/audit/monitor/session-token.js';
import { signIn } from '../application/audit/monitor/sign-in.js';
import type { SignInLinks } from '../application/audit/monitor/sign-in-links.js';
import type { NoteLastUse } from '../application/audit/note-last-use.js';
import type { ApiKeyStore } from '../application/audit/ports.js';
import { createFailedSignIns } from './failed-sign-ins.js';
import type { Logger } from './logger.js';
import { loadMonitorFiles, type MonitorFiles } from './monitor-files.js';
import { createMonitorStream, DEFAULT_STREAM_LIMITS, type MonitorStream, type StreamLimits } from './monitor-stream.js';
import { createSessionGate, type SessionGate } from './session-gate.js';
import type { AboutMonitor, SessionRouteDeps } from './session-routes.js';
import { createSnapshots, type PartReaders } from './snapshots.js';

/** What the monitor is made of, for an api that serves it. */
export interface MonitorOptions {
  /** Where the built page stands. */
  readonly folder: string;
  /** Where people open it; null: whatever address they use. */
  readonly url: string | null;
  /** false: whoever reaches it is a viewer. */
  readonly signIn: boolean;
  /** How long a session lasts. */
  readonly lifeMs: number;
  readonly operators: OperatorStore;
  readonly sessions: SessionStore;
  readonly links: SignInLinks;
  readonly parts: PartReaders;
  readonly about: AboutMonitor;
  /** Overrides of DEFAULT_STREAM_LIMITS. */
  readonly streams?: Partial<StreamLimits>;
}

export interface Monitor {
  readonly gate: SessionGate;
  readonly session: SessionRouteDeps;
  readonly stream: MonitorStream;
  readonly files: MonitorFiles;
}

/** What the api has that the monitor shares. */
export interface MonitorSurroundings {
  readonly apiKeys: ApiKeyStore;
  readonly fingerprintKeys: FingerprintKeys;
  readonly noteUse: NoteLastUse;
  /** Tries to sign in that fail for one remote address in a minute. */
  readonly maxFailedSignInsPerMinute: number;
  readonly log: Logger;
}

/** Throws MonitorFilesError where the page is not built. */
export function openMonitor(options: MonitorOptions, around: MonitorSurroundings): Monitor {
  const { url, lifeMs, operators, sessions: store, links, about } = options;
  const { apiKeys: keys, fingerprintKeys, noteUse, maxFailedSignInsPerMinute: perAddressAndMinute, log } = around;
  const files = loadMonitorFiles(options.folder);
  const gate = createSessionGate({
    tokens: sessionTokens(fingerprintKeys),
    sessions: createSessions({ store, noteUse, log }),
    monitorUrl: url,
    signIn: options.signIn,
    lifeMs,
  });
  // Where nobody signs in, all share one session.
  const { total } = { ...DEFAULT_STREAM_LIMITS, ...options.streams };
  const limits = { ...options.streams, ...(options.signIn ? {} : { perSession: total, perPerson: total }) };
  return {
    gate,
    session: {
      sessions: gate,
      signIn: signIn({ keys, operators, sessions: store, hasher: createPasswordHasher(), links }, lifeMs),
      limits: createFailedSignIns({ perAddressAndMinute }),
      about,
      log,
    },
    stream: createMonitorStream({
      sessions: gate,
      snapshots: createSnapshots(options.parts, log),
      version: about.version,
      log,
      limits,
    }),
    files,
  };
}
