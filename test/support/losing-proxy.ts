/** A TCP proxy that loses answers on purpose: what the other side has done is not told. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface LosingProxy {
  readonly port: number;
  /** The next so many requests that hold `text` reach the server, and their answers reach nobody; or are cut before. */
  lose(text: string, times: number, when: 'after' | 'before'): void;
  /** How many are still to be lost. */
  left(): number;
  close(): Promise<void>;
}

export async function startLosingProxy(target: { host: string; port: number }): Promise<LosingProxy> {
  let wanted = { text: '', times: 0, when: 'after' as 'after' | 'before' };
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(target);
    let losing = false;
    const end = () => {
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', end).on('close', () => {
        sockets.delete(socket);
        end();
      });
    }
    client.on('data', (chunk) => {
      if (wanted.times > 0 && chunk.includes(wanted.text)) {
        wanted = { ...wanted, times: wanted.times - 1 };
        if (wanted.when === 'before') {
          end();
          return;
        }
        losing = true;
      }
      upstream.write(chunk);
    });
    upstream.on('data', (chunk) => {
      if (losing) end();
      else client.write(chunk);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  return {
    port: (server.address() as AddressInfo).port,
    lose(text, times, when) {
      wanted = { text, times, when };
    },
    left: () => wanted.times,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
