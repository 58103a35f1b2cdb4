// Real: the SDK's own connecting, to a real Temporal and to servers on loopback that are wrong in one way each. What is
// away is waited for; what is wrong is told.
import { readFileSync } from 'node:fs';
import { createServer as createHttp2Server, type ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { Runtime } from '@temporalio/worker';
import {
  connectTemporal,
  createTemporalProbe,
  TemporalAwayError,
  TemporalUnfitError,
} from '../../src/infrastructure/temporal/connect-temporal.js';
import { toSdkLogger } from '../../src/infrastructure/temporal/install-runtime.js';
import { silentLog } from '../support/delivery-line.js';
import { temporalAddress } from '../support/temporal.js';

beforeEach(() => {
  try {
    Runtime.install({ logger: toSdkLogger(silentLog), shutdownSignals: [] });
  } catch {
    // The last test's connection has left it standing.
  }
});

const open: Server[] = [];
afterEach(async () => {
  for (const server of open.splice(0)) await new Promise((resolve) => server.close(resolve));
});

async function listen(server: Server): Promise<string> {
  const sockets = new Set<{ destroy(): void }>();
  server.on('connection', (socket) => sockets.add(socket));
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const close = server.close.bind(server);
  server.close = (done) => {
    for (const socket of sockets) socket.destroy();
    return close(done);
  };
  open.push(server);
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const pem = (kind: 'cert' | 'key') => readFileSync(new URL(`../fixtures/self-signed.${kind}.pem`, import.meta.url));

/** Answers every call with one gRPC status. */
function grpcServer(status: number): Server {
  const server = createHttp2Server();
  server.on('stream', (stream: ServerHttp2Stream) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': String(status) });
    stream.end();
  });
  return server as unknown as Server;
}

const target = (address: string, more: object = {}) => ({
  address,
  namespace: 'default',
  connectionOptions: { address, ...more },
  named: true,
});

async function failure(address: string, more: object = {}, timeoutMs = 2_000): Promise<Error> {
  return connectTemporal(target(address, more), { timeoutMs }).then(
    () => new Error('it connected'),
    (error: Error) => error,
  );
}

describe('what waiting does not mend is told at once', () => {
  /** None of them takes this time: it is there for the machine. */
  const unfit = (address: string, more: object = {}) => failure(address, more, 10_000);

  it.each(['127.0.0.1:port', 'http://127.0.0.1:1', 'not a host:7233', '127.0.0.1:99999'])(
    'the address %s',
    async (address) => {
      const error = await unfit(address);
      expect(error).toBeInstanceOf(TemporalUnfitError);
      expect(error.message).toContain('expected TEMPORAL_ADDRESS as host:port');
    },
  );

  it.each([16, 7])('credentials that are refused (gRPC status %i)', async (status) => {
    const error = await unfit(await listen(grpcServer(status)));
    expect(error).toBeInstanceOf(TemporalUnfitError);
    expect(error.message).toContain('TEMPORAL_API_KEY');
  });

  it('a certificate that is not trusted', async () => {
    const server = createTlsServer({ cert: pem('cert'), key: pem('key'), ALPNProtocols: ['h2'] });
    server.on('tlsClientError', () => {});
    const error = await unfit(await listen(server), { tls: true });
    expect(error).toBeInstanceOf(TemporalUnfitError);
    expect(error.message).toContain('TEMPORAL_TLS_SERVER_CA_CERT_PATH');
  });

  it('TLS to a server that speaks none, and a client key that is none', async () => {
    expect((await unfit(temporalAddress(), { tls: true })).message).toContain('TEMPORAL_TLS=false');
    const clientCertPair = { crt: Buffer.from('rubbish'), key: Buffer.from('rubbish') };
    expect((await unfit(temporalAddress(), { tls: { clientCertPair } })).message).toContain('expected PEM');
  });
});

describe('what may pass is waited for', () => {
  it.each([14, 8, 13])('a server that is not ready (gRPC status %i)', async (status) => {
    expect(await failure(await listen(grpcServer(status)))).toBeInstanceOf(TemporalAwayError);
  });

  it('nobody there, a name that is not known, a connection that is cut, and a server that says nothing', async () => {
    expect(await failure('127.0.0.1:1')).toBeInstanceOf(TemporalAwayError);
    expect(await failure('nowhere.invalid:7233')).toBeInstanceOf(TemporalAwayError);
    expect(await failure(await listen(createServer((socket) => socket.destroy())))).toBeInstanceOf(TemporalAwayError);
    const silent = await failure(await listen(createServer(() => {})));
    expect(silent).toBeInstanceOf(TemporalAwayError);
    expect((silent.cause as Error).message).toContain('nothing came within 2 s');
  });
});

it('who stops waiting gets the reason at once, not the deadline', async () => {
  const stopping = new AbortController();
  let knock = () => {};
  const knocked = new Promise<void>((resolve) => {
    knock = resolve;
  });
  const address = await listen(createServer(() => knock()));
  const connecting = connectTemporal(target(address), { signal: stopping.signal }).catch((error: Error) => error);
  await knocked;
  stopping.abort(new Error('SIGTERM while starting'));
  expect(await connecting).toBe(stopping.signal.reason);
});

it('the probe asks a server once for all who ask at the same time', async () => {
  const connection = await connectTemporal(target(temporalAddress()));
  try {
    let asked = 0;
    const counted = {
      withDeadline: async (deadline: number, call: () => Promise<unknown>) => {
        asked += 1;
        return connection.withDeadline(deadline, call);
      },
      workflowService: connection.workflowService,
    } as unknown as typeof connection;
    const probe = createTemporalProbe(counted);
    expect(await Promise.all([probe(), probe(), probe()])).toEqual([true, true, true]);
    expect(asked).toBe(1);
  } finally {
    await connection.close();
  }
});
