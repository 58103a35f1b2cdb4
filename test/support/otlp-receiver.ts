/**
 * Receives spans as a collector does: OTLP over HTTP, protobuf (opentelemetry-proto 1.x, collector/trace/v1). The bodies are
 * decoded here by the wire format and the published field numbers, so that no code of the exporter judges itself.
 */
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty at the root. */
  readonly parentId: string;
  readonly name: string;
  readonly kind: number;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly events: number;
  /** 0 unset, 1 ok, 2 error. */
  readonly status: number;
  readonly statusMessage: string;
  readonly scope: string;
  readonly resource: Readonly<Record<string, string | number | boolean>>;
}

export interface OtlpReceiver {
  readonly endpoint: string;
  readonly spans: readonly ReceivedSpan[];
  /** Of every request: its headers and all its bytes, as text. */
  readonly requests: readonly { readonly headers: Readonly<Record<string, unknown>>; readonly text: string }[];
  /** Takes requests and answers none. */
  hang(): void;
  close(): Promise<void>;
}

export async function startOtlpReceiver(): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = [];
  const requests: OtlpReceiver['requests'][number][] = [];
  const sockets = new Set<Socket>();
  let hangs = false;
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    requests.push({ headers: request.headers, text: body.toString('latin1') });
    if (hangs) return;
    const fits = request.url === '/v1/traces' && request.headers['content-type'] === 'application/x-protobuf';
    if (fits) spans.push(...readRequest(body));
    response.writeHead(fits ? 200 : 400, { 'content-type': 'application/x-protobuf' }).end();
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    requests,
    hang: () => {
      hangs = true;
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

type Value = Buffer | bigint;
type Message = Map<number, Value[]>;

/** Protocol Buffers, "Encoding": fields by their numbers, each in the order it came. */
function readMessage(bytes: Buffer): Message {
  const fields: Message = new Map();
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes.readUInt8(at++);
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  const take = (length: number): Buffer => {
    at += length;
    return bytes.subarray(at - length, at);
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const wire = tag & 7;
    if (wire !== 0 && wire !== 1 && wire !== 2 && wire !== 5) throw new Error(`no wire type of proto3: ${wire}`);
    const value = wire === 0 ? varint() : take(wire === 1 ? 8 : wire === 5 ? 4 : Number(varint()));
    fields.set(tag >> 3, [...(fields.get(tag >> 3) ?? []), value]);
  }
  return fields;
}

const messages = (of: Message, field: number) => (of.get(field) ?? []).map((value) => readMessage(value as Buffer));
const hex = (of: Message, field: number) =>
  ((of.get(field)?.[0] as Buffer | undefined) ?? Buffer.alloc(0)).toString('hex');
const text = (of: Message, field: number) => ((of.get(field)?.[0] as Buffer | undefined) ?? Buffer.alloc(0)).toString();
const number = (of: Message, field: number) => Number((of.get(field)?.[0] as bigint | undefined) ?? 0n);

function readAttributes(of: Message, field: number): Record<string, string | number | boolean> {
  return Object.fromEntries(
    messages(of, field).map((pair) => {
      const [value = new Map()] = messages(pair, 2);
      const [kind] = [...value.keys()] as number[];
      if (kind === 2) return [text(pair, 1), number(value, 2) === 1];
      if (kind === 3) return [text(pair, 1), number(value, 3)];
      if (kind === 4)
        return [text(pair, 1), ((value.get(4)?.[0] as Buffer | undefined) ?? Buffer.alloc(8)).readDoubleLE()];
      // Lists and maps of values as their bytes: none is expected, and a canary in one is found.
      return [text(pair, 1), text(value, kind ?? 1)];
    }),
  );
}

function readRequest(body: Buffer): ReceivedSpan[] {
  return messages(readMessage(body), 1).flatMap((ofResource) => {
    const resource = readAttributes(messages(ofResource, 1)[0] ?? new Map(), 1);
    return messages(ofResource, 2).flatMap((ofScope) => {
      const scope = text(messages(ofScope, 1)[0] ?? new Map(), 1);
      return messages(ofScope, 2).map((span) => ({
        traceId: hex(span, 1),
        spanId: hex(span, 2),
        parentId: hex(span, 4),
        name: text(span, 5),
        kind: number(span, 6),
        attributes: readAttributes(span, 9),
        links: messages(span, 13).map((link) => ({ traceId: hex(link, 1), spanId: hex(link, 2) })),
        events: span.get(11)?.length ?? 0,
        status: number(messages(span, 15)[0] ?? new Map(), 3),
        statusMessage: text(messages(span, 15)[0] ?? new Map(), 2),
        scope,
        resource,
      }));
    });
  });
}
