import type { IncomingMessage } from 'node:http';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { HttpProblem } from './problem.js';

const DECODERS = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
} as const;

/** A signed request's body is read for its signature, and then again for what it says. */
const bodies = new WeakMap<IncomingMessage, Promise<Buffer>>();

/**
 * The body of a request, inflated; read once, whoever asks again. Neither the bytes sent nor those they inflate to pass `limit`: the first byte over it
 * ends the reading with 413, without waiting for the rest. Throws HttpProblem (400, 413, 415).
 */
export function readBody(req: IncomingMessage, limit: number): Promise<Buffer> {
  const reading = bodies.get(req) ?? read(req, limit);
  bodies.set(req, reading);
  return reading;
}

async function read(req: IncomingMessage, limit: number): Promise<Buffer> {
  const encoding = (req.headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  if (encoding !== 'identity' && !Object.hasOwn(DECODERS, encoding)) {
    throw new HttpProblem('unsupported_encoding', 'Expected the content encoding gzip, deflate, br or none', {
      headers: { 'Accept-Encoding': 'gzip, deflate, br' },
    });
  }
  if (Number(req.headers['content-length'] ?? 0) > limit) throw tooLarge(limit);
  if (req.destroyed) throw cut();
  const decoder = encoding === 'identity' ? null : DECODERS[encoding as keyof typeof DECODERS]();

  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let sent = 0;
    let inflated = 0;
    const finish = (outcome: () => void) => {
      req.off('data', onSent);
      if (decoder !== null) {
        req.unpipe(decoder);
        decoder.off('data', onInflated);
        decoder.destroy();
      }
      req.resume(); // what is still coming is thrown away, so that the answer can be read
      outcome();
    };
    const fail = (problem: HttpProblem) => finish(() => reject(problem));
    const onSent = (chunk: Buffer) => {
      sent += chunk.length;
      if (sent > limit) fail(tooLarge(limit));
      else if (decoder === null) chunks.push(chunk);
    };
    const onInflated = (chunk: Buffer) => {
      inflated += chunk.length;
      if (inflated > limit) fail(tooLarge(limit));
      else chunks.push(chunk);
    };
    const onEnd = () => finish(() => resolve(Buffer.concat(chunks)));
    const onCut = () => fail(cut());

    req.on('data', onSent);
    req.on('error', onCut);
    // A whole body closes the request too, while the decoder still has some of it.
    req.once('close', () => {
      if (!req.complete) onCut();
    });
    if (decoder === null) {
      req.once('end', onEnd);
    } else {
      decoder.on('data', onInflated);
      decoder.once('end', onEnd);
      decoder.on('error', () => fail(new HttpProblem('malformed_request', `Expected a body in ${encoding}`)));
      req.pipe(decoder);
    }
  });
}

function tooLarge(limit: number): HttpProblem {
  return new HttpProblem('body_too_large', `Expected at most ${limit} bytes, inflated ones counted`);
}

function cut(): HttpProblem {
  return new HttpProblem('incomplete_body', 'Expected the whole body, the connection ended before');
}
