/**
 * Real: undici against real servers on loopback (HTTP, TLS, raw sockets). Fake: the FakeHttpClient, held to the same
 * contract. What only a network can do (drip, garble, close early) is tried on the real one below.
 */
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer, type Socket, type Server as TcpServer } from 'node:net';
import { createHttpClient } from '../../src/infrastructure/http/create-http-client.js';
import { FakeHttpClient, type ScriptedAnswer } from '../../src/infrastructure/http/fake-http-client.js';
import {
  type Behaviour,
  type Destination,
  failure,
  type HttpClientSubject,
  httpClientContract,
} from './http-client.contract.js';

httpClientContract('undici', createRealSubject);
httpClientContract('FakeHttpClient', createFakeSubject);

describe('the undici HttpClient on a bad network', () => {
  let subject: RealSubject;
  beforeEach(async () => {
    subject = await createRealSubject();
  });
  afterEach(() => subject.close());
  const send = (url: string, timeoutMs = 10_000) =>
    subject.client.send({ method: 'POST', url, body: 'x', headers: {}, timeoutMs });

  it('counts the body in the deadline: a byte at a time ends with HTTP.TIMEOUT', async () => {
    const url = await subject.raw((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n');
      const drip = setInterval(() => socket.write('x'), 5);
      socket.on('close', () => clearInterval(drip));
    });
    const error = await failure(send(url, 2_000));
    expect(error).toMatchObject({ code: 'HTTP.TIMEOUT', message: expect.stringContaining('while reading the body') });
  });

  it('counts the headers in the deadline', async () => {
    const url = await subject.raw((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nX-Slow: ');
      const drip = setInterval(() => socket.write('x'), 5);
      socket.on('close', () => clearInterval(drip));
    });
    const error = await failure(send(url, 2_000));
    const message = expect.stringContaining('while waiting for the headers');
    expect(error).toMatchObject({ code: 'HTTP.TIMEOUT', message });
  });

  it('counts connecting in the deadline, and ends a connection that does not come up before it, too', async () => {
    let refuse = () => {};
    const never = createHttpClient({
      connect: (_, callback) => {
        refuse = () => callback(new Error('given up'), null);
      },
    });
    const request = { method: 'GET', url: 'http://partner.test/', timeoutMs: 50 } as const;
    const message = expect.stringContaining('while connecting');
    expect(await failure(never.send(request))).toMatchObject({ code: 'HTTP.TIMEOUT', message });
    refuse();
    await never.close();

    // Takes the connection, and says nothing where a handshake is due.
    const url = (await subject.listen(createTcpServer())).replace('http:', 'https:');
    const short = createHttpClient({ connectTimeoutMs: 50 });
    const error = await failure(short.send({ method: 'GET', url, timeoutMs: 30_000 }));
    expect([error.code, error.message]).toEqual(['HTTP.TIMEOUT', expect.stringContaining('UND_ERR_CONNECT_TIMEOUT')]);
    await short.close();
  });

  it('takes the answer that follows early hints', async () => {
    const hints = 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n';
    const url = await subject.raw(
      (socket) => void socket.write(`${hints}HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n`),
    );
    expect((await send(url)).status).toBe(201);
  });

  it.each([
    ['before any answer', ''],
    ['inside the headers', 'HTTP/1.1 200 OK\r\nContent-'],
    ['inside a body of known length', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf'],
    ['inside a chunked body', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nhalf'],
  ])('reports a connection closed %s as HTTP.NETWORK, with the cause', async (_, bytes) => {
    const url = await subject.raw((socket) => socket.end(bytes));
    const error = await failure(send(url));
    expect(error.code).toBe('HTTP.NETWORK');
    expect(error.cause).toBeInstanceOf(Error);
  });

  it.each([
    ['no HTTP at all', 'SSH-2.0-OpenSSH_9.2\r\n\r\n'],
    ['101', 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n'],
    ['100 for good', 'HTTP/1.1 100 Continue\r\n\r\n'],
    ['headers without end', `HTTP/1.1 200 OK\r\nX-Long: ${'x'.repeat(100_000)}\r\n\r\n`],
  ])('reports %s as HTTP.BAD_RESPONSE', async (_, bytes) => {
    const url = await subject.raw((socket) => void socket.write(bytes));
    expect((await failure(send(url))).code).toBe('HTTP.BAD_RESPONSE');
  });

  it('stops reading an endless body at the limit', async () => {
    const url = await subject.raw((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
      const chunk = `${(16_384).toString(16)}\r\n${'x'.repeat(16_384)}\r\n`;
      const pour = () => {
        while (!socket.destroyed && socket.write(chunk));
      };
      socket.on('drain', pour);
      pour();
    });
    expect((await failure(send(url))).code).toBe('HTTP.BAD_RESPONSE');
  });

  it('reports a refused connection and an unknown host as HTTP.NETWORK', async () => {
    const url = await subject.raw(() => {});
    await subject.close();
    const other = createHttpClient();
    const request = { method: 'GET', timeoutMs: 10_000 } as const;
    expect((await failure(other.send({ ...request, url }))).code).toBe('HTTP.NETWORK');
    expect((await failure(other.send({ ...request, url: 'http://nobody.invalid/' }))).code).toBe('HTTP.NETWORK');
    await other.close();
  });

  it('reports TLS spoken to a plain server as HTTP.TLS', async () => {
    const { url } = await subject.destination({ kind: 'answer', status: 200 });
    expect((await failure(send(url.replace('http:', 'https:')))).code).toBe('HTTP.TLS');
  });

  it.each(['not a url', 'ftp://127.0.0.1/'])('reports the URL %s as HANDLER.FAILED', async (url) => {
    expect((await failure(send(url))).code).toBe('HANDLER.FAILED');
  });

  it('reports a line break in a header as HANDLER.FAILED and sends nothing', async () => {
    const destination = await subject.destination({ kind: 'answer', status: 200 });
    const error = await failure(
      subject.client.send({
        method: 'GET',
        url: destination.url,
        headers: { 'x-a': 'a\r\nx-b: b' },
        timeoutMs: 10_000,
      }),
    );
    expect(error.code).toBe('HANDLER.FAILED');
    expect(destination.seen).toHaveLength(0);
  });

  it('ends calls under way with DELIVERY.CANCELLED when it is closed', async () => {
    const destination = await subject.destination({ kind: 'silent' });
    const sent = failure(send(destination.url));
    await destination.arrived();
    await subject.client.close();
    expect((await sent).code).toBe('DELIVERY.CANCELLED');
  });

  it('keeps no more connections to a destination than it was given', async () => {
    const open = new Set<Socket>();
    let most = 0;
    const server = createHttpServer((_, response) => void setImmediate(() => response.end()));
    server.on('connection', (socket: Socket) => {
      open.add(socket);
      most = Math.max(most, open.size);
      socket.on('close', () => open.delete(socket));
    });
    const url = await subject.listen(server);
    const narrow = createHttpClient({ connections: 2 });
    const statuses = await Promise.all(
      Array.from({ length: 20 }, () => narrow.send({ method: 'GET', url, timeoutMs: 10_000 })),
    );
    await narrow.close();
    expect(statuses.every(({ status }) => status === 200)).toBe(true);
    expect(most).toBe(2);
  });
});

interface RealSubject extends HttpClientSubject {
  raw(onConnection: (socket: Socket) => void): Promise<string>;
  listen(server: Server | TcpServer): Promise<string>;
}

async function createRealSubject(): Promise<RealSubject> {
  const client = createHttpClient();
  const servers: (Server | TcpServer)[] = [];
  const sockets = new Set<Socket>();

  const listen = async (server: Server | TcpServer, scheme = 'http'): Promise<string> => {
    server.on('connection', (socket: Socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => sockets.delete(socket));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    servers.push(server);
    return `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}/path`;
  };

  return {
    client,
    listen,
    raw: (onConnection) => listen(createTcpServer((socket) => void socket.once('data', () => onConnection(socket)))),
    async destination(behaviour) {
      const seen: Destination['seen'][number][] = [];
      let arrive = () => {};
      const arrival = new Promise<void>((resolve) => {
        arrive = resolve;
      });
      const onRequest = async (request: IncomingMessage, response: ServerResponse) => {
        const chunks: Buffer[] = [];
        for await (const chunk of request) chunks.push(chunk as Buffer);
        const headers = request.headers as Record<string, string>;
        seen.push({ method: request.method ?? '', headers, body: Buffer.concat(chunks).toString('utf8') });
        arrive();
        if (behaviour.kind === 'answer') response.writeHead(behaviour.status, behaviour.headers).end(behaviour.body);
        if (behaviour.kind === 'reset') request.socket.resetAndDestroy();
      };
      const url =
        behaviour.kind === 'untrusted'
          ? await listen(createHttpsServer({ key: fixture('key'), cert: fixture('cert') }, onRequest), 'https')
          : await listen(createHttpServer(onRequest));
      return { url, seen, arrived: () => arrival };
    },
    async close() {
      await client.close();
      for (const socket of sockets) socket.destroy();
      await Promise.all(
        servers.splice(0).map((server) => new Promise((resolve) => server.close(() => resolve(undefined)))),
      );
    },
  };
}

/** Signed by itself, for localhost, until 2126; protects nothing. */
function fixture(kind: 'key' | 'cert'): Buffer {
  return readFileSync(new URL(`../fixtures/self-signed.${kind}.pem`, import.meta.url));
}

async function createFakeSubject(): Promise<HttpClientSubject> {
  const behaviours = new Map<string, Behaviour>();
  const client = new FakeHttpClient(({ url }) => scripted(behaviours.get(url)));
  return {
    client,
    async destination(behaviour) {
      const url = `http://fake.test/${behaviours.size}`;
      behaviours.set(url, behaviour);
      return {
        url,
        get seen() {
          return client.requests
            .filter((request) => request.url === url)
            .map(({ method, headers = {}, body = '' }) => ({ method, headers, body }));
        },
        arrived: async () => {},
      };
    },
    close: () => client.close(),
  };
}

function scripted(behaviour: Behaviour | undefined): ScriptedAnswer {
  switch (behaviour?.kind) {
    case 'answer':
      return behaviour;
    case 'silent':
      return 'hang';
    case 'untrusted':
      return 'tls-error';
    default:
      return 'network-error';
  }
}
