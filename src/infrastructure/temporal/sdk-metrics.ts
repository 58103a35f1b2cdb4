/**
 * The metrics of Temporal's SDK. Its native core tells them by an HTTP server of its own, which listens on the loopback
 * address alone, on a port that was free: our own scrape reads them there and hands them on.
 */
import { freePort } from '../embedded/free-port.js';

export interface SdkMetrics {
  /** Labels of every series. */
  readonly labels: Readonly<Record<string, string>>;
  /** For a runtime that is about to be installed. */
  findAddress(): Promise<string>;
  /** In Prometheus' text format, each metric once. Rejects where nothing listens, or it does not answer in time. */
  read(): Promise<string>;
}

const WITHIN_MS = 1_000;
/** Its labels are few: queues, activity and workflow types. */
const MOST_BYTES = 4 * 1024 * 1024;
const PREFIX = 'temporal_';

/**
 * Of the program, as the runtime itself is: roles that are started one by one have one runtime between them, whoever of them
 * installed it. null: none was installed, or it tells no metrics.
 */
let address: string | null = null;

/** The runtime that was installed now listens there. */
export function sdkMetricsListen(where: string | null): void {
  address = where;
}

export function createSdkMetrics(labels: Readonly<Record<string, string>>): SdkMetrics {
  return {
    labels,
    findAddress: async () => `127.0.0.1:${await freePort(0)}`,
    async read() {
      if (address === null) throw new Error("Temporal's SDK tells no metrics: its runtime does not stand yet");
      const answer = await fetch(`http://${address}/metrics`, { signal: AbortSignal.timeout(WITHIN_MS) });
      if (!answer.ok) throw new Error(`expected 200 from the metrics of Temporal's SDK, got ${answer.status}`);
      const text = await answer.text();
      if (text.length > MOST_BYTES) {
        throw new Error(`expected at most ${MOST_BYTES} bytes of metrics from Temporal's SDK, got ${text.length}`);
      }
      return mergeBlocks(text);
    },
  };
}

/**
 * Each metric's lines together, under one HELP and one TYPE: the core writes a block for each of its meters, and Prometheus
 * refuses a second one. Without a HELP of its own it gets one. A counter is named as Prometheus wants it: the core (1.23) does
 * not do that, whatever `countersTotalSuffix` says. What is not the SDK's is left out.
 */
export function mergeBlocks(text: string): string {
  const blocks = new Map<string, { help: string | null; type: string | null; readonly lines: string[] }>();
  let current = '';
  for (const line of text.split('\n')) {
    const [, keyword, named = ''] = /^# (HELP|TYPE) (\S+)/.exec(line) ?? [];
    const name = keyword === undefined ? current : named;
    if (line.trim() === '' || (keyword === undefined && line.startsWith('#')) || !name.startsWith(PREFIX)) {
      if (keyword !== undefined) current = name;
      continue;
    }
    current = name;
    const block = blocks.get(name) ?? { help: null, type: null, lines: [] };
    blocks.set(name, block);
    if (keyword === 'HELP') block.help ??= line;
    else if (keyword === 'TYPE') block.type ??= line;
    else block.lines.push(line);
  }
  return [...blocks]
    .flatMap(([name, { help, type, lines }]) => {
      const counter = type?.endsWith(' counter') === true && !name.endsWith('_total');
      const called = counter ? `${name}_total` : name;
      const said = help?.slice(`# HELP ${name}`.length).trim() || "Of Temporal's SDK.";
      return [
        `# HELP ${called} ${said}`,
        ...(type === null ? [] : [`# TYPE ${called}${type.slice(`# TYPE ${name}`.length)}`]),
        ...lines.map((line) => (counter ? called + line.slice(name.length) : line)),
      ];
    })
    .join('\n')
    .concat('\n');
}
