import { randomUUID } from 'node:crypto';
import { createServer, type RequestListener, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import { Server as NetServer } from 'node:net';
import type { Duplex } from 'node:stream';
import { PROBLEM_MEDIA_TYPE, PROBLEMS, type ProblemCode } from '../contract/audit-api.js';
import type { HttpLimits } from './http-limits.js';
import type { Logger } from './logger.js';
import { HttpProblem, toProblem } from './problem.js';
import { serveInTurn } from './serve-in-turn.js';

export interface HttpServer {
  /** Resolves with the port once it accepts. Rejects as `listen` does (EADDRINUSE). */
  listen(port: number, host: string): Promise<number>;
  /**
   * Stops accepting; lets running requests finish within the grace, then ends their connections. A connection that is idle
   * stays for `drainMs`: a request that its caller had sent by then is answered, and told that it was the last.
   */
  close(): Promise<void>;
}

/** How long a connection that was refused may take to read why. */
const LINGER_MS = 1_000;

/**
 * An HTTP/1.1 server on which no caller can hold a connection for longer than the limits say: slow headers and bodies are
 * answered 408, huge headers 431, huge URLs 414, what is no HTTP 400, as problem documents; answers that are not taken end
 * theirs. Every other request comes to the listener, one of a connection at a time.
 */
export function createHttpServer(listener: RequestListener, limits: HttpLimits, logger: Logger): HttpServer {
  const running = new Set<ServerResponse>();
  let closing = false;
  const serve = serveInTurn(
    (req, res) => {
      // It waited for its turn, or its headers were still coming, when the closing began.
      if (closing) res.setHeader('Connection', 'close');
      running.add(res);
      res.once('close', () => running.delete(res));
      listener(req, res);
    },
    limits,
    logger,
  );
  const server = createServer(
    {
      maxHeaderSize: limits.maxHeaderBytes,
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      keepAliveTimeout: limits.keepAliveTimeoutMs,
      // Node looks for late requests this often (30 s by default, which would be the real limit).
      connectionsCheckingInterval: Math.min(1_000, Math.ceil(limits.headersTimeoutMs / 4)),
      // Node's own answers to a missing Host and to an unknown Expect say nothing: the listener's do.
      requireHostHeader: false,
    },
    serve,
  );
  server.on('checkExpectation', serve);
  answerClientErrors(server, running, limits, logger);

  return {
    listen: (port, host) =>
      new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(port, host, () => {
          server.off('error', reject);
          const address = server.address();
          resolve(typeof address === 'object' && address !== null ? address.port : port);
        });
      }),
    close: () =>
      new Promise((resolve) => {
        closing = true;
        let drained = false;
        const drain = setTimeout(() => {
          drained = true;
          server.closeIdleConnections();
        }, limits.drainMs);
        const grace = setTimeout(() => server.closeAllConnections(), limits.closeGraceMs);
        // That of node:net: node:http's own ends idle connections first, on which a request may be under way.
        NetServer.prototype.close.call(server, () => {
          clearTimeout(drain);
          clearTimeout(grace);
          server.close(); // ends its look for late requests
          resolve();
        });
        for (const res of running) {
          if (!res.headersSent) res.setHeader('Connection', 'close');
          else res.once('close', () => setImmediate(() => drained && server.closeIdleConnections()));
        }
      }),
  };
}

interface ClientError extends Error {
  readonly code?: string;
  readonly rawPacket?: Buffer;
}

/** Requests that never reach the listener. Node would answer them without a body and without a line in the log. */
function answerClientErrors(
  server: Server,
  running: ReadonlySet<ServerResponse>,
  limits: HttpLimits,
  logger: Logger,
): void {
  const answered = new WeakSet<Duplex>();
  server.on('clientError', (error: ClientError, socket) => {
    if (answered.has(socket)) return; // more of the same bytes
    answered.add(socket);
    if (error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy();
      return;
    }
    const problem = new HttpProblem(...describe(error, limits));
    const { status } = PROBLEMS[problem.code];
    const requestId = randomUUID();
    logger.info(
      { event: 'request.rejected', requestId, status, code: problem.code, cause: error.code },
      'request refused',
    );
    const before = [...running].find((res) => res.socket === socket);
    if (before !== undefined && (before.req.complete || before.headersSent)) {
      // The answer that comes next on this connection is that of the request before.
      if (!before.headersSent) before.setHeader('Connection', 'close');
      before.once('close', () => socket.destroy());
      return;
    }
    const body = JSON.stringify(toProblem(problem, { requestId }));
    socket.end(
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: ${PROBLEM_MEDIA_TYPE}\r\n` +
        `Content-Length: ${Buffer.byteLength(body)}\r\nX-Request-Id: ${requestId}\r\n` +
        `Cache-Control: no-store\r\nConnection: close\r\n\r\n${body}`,
    );
    const linger = setTimeout(() => socket.destroy(), LINGER_MS);
    socket.once('close', () => clearTimeout(linger));
  });
}

function describe(error: ClientError, limits: HttpLimits): [ProblemCode, string] {
  switch (error.code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return ['request_timeout', 'Expected the whole request sooner'];
    case 'HPE_HEADER_OVERFLOW':
      return isLongRequestLine(error.rawPacket, limits.maxHeaderBytes)
        ? ['url_too_long', 'Expected a shorter URL']
        : ['headers_too_large', 'Expected smaller headers'];
    default:
      return ['malformed_request', 'Expected an HTTP/1.1 request'];
  }
}

/** Whether the bytes that went over the limit begin with a request line that does so alone. A guess on slow networks. */
function isLongRequestLine(packet: Buffer | undefined, maxHeaderBytes: number): boolean {
  if (packet === undefined || !/^[A-Z]{3,7} \//.test(packet.toString('latin1', 0, 16))) return false;
  const end = packet.indexOf('\r\n');
  return end === -1 || end > maxHeaderBytes;
}
