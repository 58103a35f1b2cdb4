import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { HttpLimits } from './http-limits.js';
import type { Logger } from './logger.js';

interface Turn {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
}

/**
 * A connection has one request worked on at a time, and each answer is taken in time or its connection ends. Node hands on
 * every request as soon as it is parsed: one connection of a caller who reads nothing would have under way whatever he cares
 * to send. Here a request that was sent ahead of the answer before it waits until that was taken, and is forgotten with its
 * connection; more than `maxPipelined` that wait end it. `responseTimeoutMs` is from the end of the work to the last byte
 * handed to the system: an answer that is written in pieces has a bound of its own for each.
 */
export function serveInTurn(
  listener: RequestListener,
  { maxPipelined, responseTimeoutMs }: Pick<HttpLimits, 'maxPipelined' | 'responseTimeoutMs'>,
  logger: Logger,
): RequestListener {
  /** Of connections with a request that is worked on: those that wait behind it. */
  const waiting = new WeakMap<Socket, Turn[]>();

  const serve = ({ req, res }: Turn) => {
    const { socket } = req;
    res.once('close', () => {
      const next = waiting.get(socket)?.shift();
      // A connection that ends with this answer gives the next one none.
      if (next !== undefined && socket.writable && next.res.socket === socket) serve(next);
      else waiting.delete(socket);
    });
    res.once('prefinish', () => {
      if (res.closed) return;
      const late = setTimeout(() => {
        logger.info(
          { event: 'response.not_taken', requestId: res.getHeader('X-Request-Id') },
          'answer not taken in time',
        );
        socket.resetAndDestroy(); // what the system keeps of the answer goes, too
      }, responseTimeoutMs);
      res.once('close', () => clearTimeout(late));
    });
    listener(req, res);
  };

  return (req, res) => {
    const { socket } = req;
    if (socket.destroyed) return; // it came with the bytes of the one that ended the connection
    const queue = waiting.get(socket);
    if (queue === undefined) {
      waiting.set(socket, []);
      serve({ req, res });
    } else if (queue.length < maxPipelined) {
      queue.push({ req, res });
    } else {
      logger.info({ event: 'connection.ended', waiting: queue.length }, 'too many requests ahead of their answers');
      socket.destroy();
    }
  };
}
