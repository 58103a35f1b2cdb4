/**
 * OpenTelemetry's own variables (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/), as far as
 * they are read here, where OUTBOX_TRACES=on and nowhere else: platforms put them into every container, and a program around our
 * roles may have them for an SDK of its own. Those of TLS (OTEL_EXPORTER_OTLP_CERTIFICATE, …_CLIENT_KEY, …_CLIENT_CERTIFICATE)
 * and of compression are read by the exporter itself.
 */
import type { z } from 'zod';
import { ConfigurationError, type Environment } from './load-settings.js';
import { httpUrl, whole } from './setting-values.js';

export interface TracingSettings {
  /** Where spans are posted to. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly serviceName: string;
  readonly resource: Readonly<Record<string, string>>;
  readonly sampler: Sampling;
  /** Spans that wait, spans of one post, and between two posts. */
  readonly queue: { readonly most: number; readonly batch: number; readonly everyMs: number };
}

export interface Sampling {
  readonly root: 'always_on' | 'always_off' | 'traceidratio';
  readonly ratio: number;
  /** Whether a span goes by what its parent's trace decided. */
  readonly byParent: boolean;
}

const TRACES_PATH = 'v1/traces';
const PROTOCOL = 'http/protobuf';
const HINT = 'They are read because OUTBOX_TRACES=on: mend them, or set OUTBOX_TRACES=off (docs/tracing.md).';

/**
 * null: the standard's own switches say off (OTEL_SDK_DISABLED=true, OTEL_TRACES_EXPORTER=none).
 * @throws ConfigurationError that names every variable that does not fit
 */
export function readTracing(environment: Environment): TracingSettings | null {
  const text = (name: string) => (environment[name] === '' ? undefined : environment[name]?.trim());
  const exporter = text('OTEL_TRACES_EXPORTER');
  const own = text('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT');
  const shared = text('OTEL_EXPORTER_OTLP_ENDPOINT');
  if (text('OTEL_SDK_DISABLED')?.toLowerCase() === 'true' || exporter === 'none') return null;

  const problems: string[] = [];
  const check = <T>(name: string, given: string | undefined, fallback: string, schema: z.ZodType<T>): T => {
    const parsed = schema.safeParse(given ?? fallback);
    if (!parsed.success) problems.push(`${name}: ${parsed.error.issues[0]?.message ?? 'does not fit'}`);
    return parsed.success ? parsed.data : schema.parse(fallback);
  };
  const number = (name: string, fallback: string, [min, max]: readonly [number, number]) =>
    check(name, text(name), fallback, whole(min, max));

  if (exporter !== undefined && exporter !== 'otlp') {
    problems.push('OTEL_TRACES_EXPORTER: expected otlp or none, the only ones that OUTBOX_TRACES=on knows');
  }
  const protocolName = ['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL', 'OTEL_EXPORTER_OTLP_PROTOCOL'].find(text);
  if (protocolName !== undefined && text(protocolName) !== PROTOCOL) {
    problems.push(
      `${protocolName}: expected ${PROTOCOL}, the only one that is spoken here (a collector's port 4318); where this one is meant for others, set OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=${PROTOCOL} beside it`,
    );
  }
  const endpointName = own === undefined ? 'OTEL_EXPORTER_OTLP_ENDPOINT' : 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT';
  const endpoint = check(endpointName, own ?? shared, 'http://localhost:4318', httpUrl);
  const most = number('OTEL_BSP_MAX_QUEUE_SIZE', '2048', [1, 1_000_000]);
  const settings: TracingSettings = {
    // The signal's own variable is taken as it is; the shared one is the base of all signals' paths.
    url: own === undefined ? new URL(TRACES_PATH, endpoint.endsWith('/') ? endpoint : `${endpoint}/`).href : endpoint,
    headers: {
      ...readPairs('OTEL_EXPORTER_OTLP_HEADERS', text, problems),
      ...readPairs('OTEL_EXPORTER_OTLP_TRACES_HEADERS', text, problems),
    },
    timeoutMs: number(
      text('OTEL_EXPORTER_OTLP_TRACES_TIMEOUT') === undefined
        ? 'OTEL_EXPORTER_OTLP_TIMEOUT'
        : 'OTEL_EXPORTER_OTLP_TRACES_TIMEOUT',
      '10000',
      [100, 60_000],
    ),
    ...readResource(text, problems),
    sampler: readSampler(text, problems),
    queue: {
      most,
      batch: Math.min(most, number('OTEL_BSP_MAX_EXPORT_BATCH_SIZE', '512', [1, 1_000_000])),
      everyMs: number('OTEL_BSP_SCHEDULE_DELAY', '5000', [10, 600_000]),
    },
  };
  if (problems.length > 0) throw new ConfigurationError(problems, { hints: [HINT] });
  return settings;
}

type Read = (name: string) => string | undefined;
function readResource(text: Read, problems: string[]): Pick<TracingSettings, 'serviceName' | 'resource'> {
  const { 'service.name': named, ...resource } = readPairs('OTEL_RESOURCE_ATTRIBUTES', text, problems);
  return { serviceName: text('OTEL_SERVICE_NAME') ?? named ?? 'temporal-outbox', resource };
}

function readSampler(text: Read, problems: string[]): Sampling {
  const name = text('OTEL_TRACES_SAMPLER') ?? 'parentbased_always_on';
  const given = text('OTEL_TRACES_SAMPLER_ARG') ?? '1';
  const root = name.replace(/^parentbased_/, '');
  if (root !== 'always_on' && root !== 'always_off' && root !== 'traceidratio') {
    problems.push(
      'OTEL_TRACES_SAMPLER: expected always_on, always_off or traceidratio, or one of them after parentbased_',
    );
  }
  const ratio = Number(given);
  if (root === 'traceidratio' && !(ratio >= 0 && ratio <= 1)) {
    problems.push('OTEL_TRACES_SAMPLER_ARG: expected a number from 0 to 1');
  }
  return { root: root as Sampling['root'], ratio, byParent: name !== root };
}

/** `name=value,name=value`, percent-encoded; its values may be secrets and are never shown. */
function readPairs(name: string, text: Read, problems: string[]): Record<string, string> {
  const parts = (text(name) ?? '').split(',').filter((part) => part.trim() !== '');
  const pairs: [string, string][] = [];
  for (const part of parts) {
    const at = part.indexOf('=');
    const key = part.slice(0, at).trim();
    try {
      if (at < 1 || key === '') throw new URIError('no name');
      pairs.push([key, decodeURIComponent(part.slice(at + 1).trim())]);
    } catch {
      // Its words may be a token: which of them does not fit is all that may be said.
      problems.push(`${name}: expected name=value,name=value, percent-encoded; entry ${pairs.length + 1} does not fit`);
      break;
    }
  }
  return Object.fromEntries(pairs);
}
