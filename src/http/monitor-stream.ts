import type { Request, Response } from 'express';
import type { SessionClaims } from '../application/audit/monitor/ports.js';
import { hasSameRights, type SessionIdentity } from '../application/audit/monitor/session-identity.js';
import type { StreamMessage } from '../contract/monitor-api.js';
import type { OverviewPartName } from '../contract/overview-api.js';
import { type ApiKey, mayRead, mayReadFailed } from '../domain/audit/api-key.js';
import { countPerKey } from './count-per-key.js';
import type { Logger } from './logger.js';
import { HttpProblem } from './problem.js';
import type { SessionGate } from './session-gate.js';
import type { Snapshots } from './snapshots.js';

export interface MonitorStream {
  get(req: Request, res: Response): Promise<void>;
  /** Ends those of one session at once. */
  endOf(sessionId: string): void;
  /** Ends all of them, and takes no more: a server that stops would wait for them. */
  close(): void;
}

export interface StreamLimits {
  readonly total: number;
  readonly perSession: number;
  /** Of one person, or one key, however often they have signed in: nobody has all that there are. */
  readonly perPerson: number;
  /** What may wait for one reader, in bytes, beside what the system keeps. */
  readonly undrainedBytes: number;
  readonly tickMs: number;
  /** Between two looks at whether the session still stands. */
  readonly sessionMs: number;
}

export const DEFAULT_STREAM_LIMITS: StreamLimits = {
  total: 32,
  perSession: 4,
  perPerson: 8,
  undrainedBytes: 256 * 1024,
  tickMs: 2_000,
  sessionMs: 30_000,
};

export interface StreamDeps {
  readonly sessions: SessionGate;
  readonly snapshots: Snapshots;
  /** Of the package: a page of another one loads itself anew. */
  readonly version: string;
  readonly log: Logger;
  readonly limits?: Partial<StreamLimits>;
}

/** Whose word opens a part; what is not here everybody who is signed in may see. */
const NEEDS: Readonly<Partial<Record<OverviewPartName, (key: ApiKey) => boolean>>> = {
  backlog: mayReadFailed,
  rate: mayReadFailed,
  runs: mayReadFailed,
  letters: mayReadFailed,
  destinations: mayReadFailed,
  alerts: mayReadFailed,
  books: mayReadFailed,
  processes: mayReadFailed,
  seal: mayRead,
  verification: mayRead,
};
const AGAIN = { 'Retry-After': '5' };

interface Stream {
  readonly claims: SessionClaims;
  readonly identity: SessionIdentity;
  readonly res: Response;
  /** It has its snapshot, before which nothing is sent. */
  begun: boolean;
}

/**
 * GET /monitor/stream: the overview as server-sent events, `snapshot` first, `part` for each that has changed, `tick` every
 * other second, which also says that the server lives. A stream ends with its session and with the server, and where its
 * reader does not keep up.
 */
export function createMonitorStream(deps: StreamDeps): MonitorStream {
  const { sessions, snapshots, version, log } = deps;
  const limits = { ...DEFAULT_STREAM_LIMITS, ...deps.limits };
  const streams = new Set<Stream>();
  const perSession = countPerKey();
  const perPerson = countPerKey();
  let ticking: NodeJS.Timeout | null = null;
  let closed = false;

  const write = ({ res }: Stream, text: string) => {
    if (res.closed || res.destroyed || res.writableEnded) return;
    if (res.writableLength <= limits.undrainedBytes) {
      res.write(text);
      return;
    }
    log.info(
      { event: 'monitor.stream_cut', requestId: res.locals.requestId, waiting: res.writableLength },
      'the reader of a stream does not keep up',
    );
    res.destroy();
  };
  const end = ({ res }: Stream) => {
    // Whoever does not take what came before would not take the end either.
    if (res.writableLength > 0) res.destroy();
    else res.end();
  };
  const tick = () => {
    const text = frame({ type: 'tick', at: new Date().toISOString() });
    for (const stream of streams) if (stream.begun) write(stream, text);
  };
  const take = (stream: Stream) => {
    const { id } = stream.claims;
    const { id: person } = stream.identity.key;
    if (closed) throw new HttpProblem('overloaded', 'This server is stopping', { headers: AGAIN });
    if (perSession.of(id) >= limits.perSession) {
      throw new HttpProblem('rate_limited', 'Too many pages of one session are open', { headers: AGAIN });
    }
    if (perPerson.of(person) >= limits.perPerson) {
      throw new HttpProblem('rate_limited', 'Too many pages of one person or one key are open', { headers: AGAIN });
    }
    if (streams.size >= limits.total) {
      throw new HttpProblem('overloaded', 'Too many pages are open', { headers: AGAIN });
    }
    const leaveSession = perSession.take(id);
    const leavePerson = perPerson.take(person);
    streams.add(stream);
    ticking ??= setInterval(tick, limits.tickMs);
    return () => {
      leaveSession();
      leavePerson();
      streams.delete(stream);
      if (streams.size > 0 || ticking === null) return;
      clearInterval(ticking);
      ticking = null;
    };
  };
  /**
   * Ends a stream whose session is over, or has other rights than it had: the page opens another one by itself. One that
   * cannot be looked up any more is taken for one that is over.
   */
  const lookAgain = async (stream: Stream) => {
    const identity = await sessions.lookAgain(stream.claims).catch((err: unknown) => {
      log.warn({ event: 'monitor.session_not_known', err }, 'a stream was ended: its session could not be looked up');
      return null;
    });
    if (identity !== null && hasSameRights(identity, stream.identity)) return;
    if (!stream.res.closed) end(stream);
  };

  return {
    async get(req, res) {
      const { claims, identity } = await sessions.admit(req, res);
      const { key } = identity;
      res.locals.keyId = key.id;
      if (key.tenantId !== null) {
        throw new HttpProblem('tenant_forbidden', 'Expected somebody without a tenant: the overview is of all of them');
      }
      if (res.closed) return;
      const stream: Stream = { claims, identity, res, begun: false };
      const leave = take(stream);
      // A proxy that gathers an answer before it hands it on would show what was as what is.
      // Not by `set`, which adds a charset: the format has only one (WHATWG HTML, 9.2.5).
      res.setHeader('Content-Type', 'text/event-stream');
      res.set('X-Accel-Buffering', 'no');
      if (req.method === 'HEAD') {
        leave();
        res.end();
        return;
      }
      const looking = setInterval(() => void lookAgain(stream), limits.sessionMs);
      let stop = () => {};
      res.once('close', () => {
        clearInterval(looking);
        leave();
        stop();
      });
      const sees = (name: OverviewPartName) => NEEDS[name]?.(key) ?? true;
      stop = await snapshots.listen({
        begin(all) {
          const parts = all.filter(({ name }) => sees(name));
          write(stream, frame({ type: 'snapshot', at: new Date().toISOString(), version, parts }));
          stream.begun = true;
        },
        change(part, json) {
          if (sees(part.name)) write(stream, `data: {"type":"part","part":${json}}\n\n`);
        },
      });
      // Gone while the parts were looked at.
      if (res.closed) stop();
    },

    endOf(sessionId) {
      for (const stream of streams) if (stream.claims.id === sessionId) end(stream);
    },

    close() {
      closed = true;
      for (const stream of streams) end(stream);
    },
  };
}

/** JSON has no line break, so one line holds it. */
function frame(message: StreamMessage): string {
  return `data: ${JSON.stringify(message)}\n\n`;
}
