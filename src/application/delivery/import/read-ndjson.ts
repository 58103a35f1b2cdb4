const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

/** A longer line is named and passed over: it would have to be held in memory whole to be read. */
export const MAX_LINE_BYTES = 16 * 1024 * 1024;

export type NdjsonLine =
  | {
      readonly kind: 'line';
      readonly number: number;
      readonly bytes: Buffer;
      /** Offset of the first byte after this line. */
      readonly end: number;
    }
  | { readonly kind: 'too-long'; readonly number: number; readonly length: number; readonly end: number };

/**
 * The lines of a byte stream, numbered from 1, without their ends (LF or CRLF) and without a byte order mark at the
 * start. Blank lines are counted, not given. Holds one line and one chunk in memory, whatever the size of the stream.
 */
export async function* readNdjson(
  chunks: AsyncIterable<Uint8Array>,
  maxLineBytes = MAX_LINE_BYTES,
): AsyncGenerator<NdjsonLine> {
  let number = 0;
  let end = 0;
  let length = 0;
  let parts: Buffer[] = [];

  const take = (): NdjsonLine | null => {
    number += 1;
    const tooLong = length > maxLineBytes;
    const bytes = tooLong ? Buffer.alloc(0) : trimEnds(Buffer.concat(parts), number === 1);
    const line: NdjsonLine = tooLong ? { kind: 'too-long', number, length, end } : { kind: 'line', number, bytes, end };
    parts = [];
    length = 0;
    return !tooLong && isBlank(bytes) ? null : line;
  };

  for await (const chunk of chunks) {
    let from = 0;
    while (from < chunk.length) {
      const at = chunk.indexOf(LINE_FEED, from);
      const to = at === -1 ? chunk.length : at;
      length += to - from;
      end += to - from;
      if (length <= maxLineBytes) parts.push(Buffer.from(chunk.subarray(from, to)));
      else parts = [];
      from = to + 1;
      if (at === -1) continue;
      end += 1;
      const line = take();
      if (line !== null) yield line;
    }
  }
  if (length > 0) {
    const line = take();
    if (line !== null) yield line;
  }
}

function trimEnds(bytes: Buffer, first: boolean): Buffer {
  const from = first && bytes.subarray(0, 3).equals(BYTE_ORDER_MARK) ? 3 : 0;
  const to = bytes.at(-1) === CARRIAGE_RETURN ? bytes.length - 1 : bytes.length;
  return bytes.subarray(from, to);
}

function isBlank(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0x20 || byte === 0x09);
}
