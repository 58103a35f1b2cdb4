/** What a connection through a proxy is like, seen by a caller of its own: what shows that a toxic is at work. */
import { connect } from 'node:net';
import type { ChaosProxy, ProxyName } from '../ports.js';

export interface Probed {
  /** `whole`: all that the server says at first; `part`: less than that; `nothing`; `refused`. */
  readonly answer: 'whole' | 'part' | 'nothing' | 'refused';
  readonly tookMs: number;
  /** In how many pieces it came. */
  readonly pieces: number;
}

const LONGEST_MS = 3_000;
const HTTP = Buffer.from('GET /live HTTP/1.1\r\nhost: chaos\r\nconnection: close\r\n\r\n');

/** What to say so that the server answers with something that has an end. */
const HELLO: Readonly<Record<ProxyName, { readonly says: Buffer; whole(bytes: Buffer): boolean }>> = {
  outbox: postgres(),
  audit: postgres(),
  // HTTP/2's preface and empty SETTINGS: the server's own SETTINGS and the answer to ours.
  temporal: {
    says: Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0])]),
    whole: (bytes) => bytes.length >= 18,
  },
  ledger: http(),
  ingest: http(),
  notices: http(),
};

/** A start packet of a user that is not there: refused with a message of a hundred bytes. */
function postgres() {
  const text = Buffer.from('user\0chaos-probe\0database\0chaos-probe\0application_name\0chaos-probe\0\0');
  const head = Buffer.alloc(8);
  head.writeInt32BE(text.length + 8, 0);
  head.writeInt32BE(196_608, 4);
  return {
    says: Buffer.concat([head, text]),
    whole: (bytes: Buffer) => bytes.length > 4 && bytes.length >= bytes.readInt32BE(1),
  };
}

function http() {
  return { says: HTTP, whole: (bytes: Buffer) => bytes.includes('\r\n\r\n') };
}

export function probeProxy({ name, address }: ChaosProxy): Promise<Probed> {
  const { says, whole } = HELLO[name];
  const [host, port] = address.split(':');
  const began = performance.now();
  return new Promise((resolve) => {
    let got = Buffer.alloc(0);
    let connected = false;
    let pieces = 0;
    const socket = connect({ host: host ?? '127.0.0.1', port: Number(port) });
    const end = () => {
      clearTimeout(timer);
      socket.destroy();
      const answer = !connected ? 'refused' : got.length === 0 ? 'nothing' : whole(got) ? 'whole' : 'part';
      resolve({ answer, tookMs: performance.now() - began, pieces });
    };
    const timer = setTimeout(end, LONGEST_MS);
    socket.once('connect', () => {
      connected = true;
      socket.write(says);
    });
    socket.on('data', (chunk: Buffer) => {
      pieces += 1;
      got = Buffer.concat([got, chunk]);
      if (whole(got)) end();
    });
    socket.once('error', end);
    socket.once('close', end);
  });
}
