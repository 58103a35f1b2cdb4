// OpenTelemetry's own variables, read by us. Nothing is fake; nothing is loaded of the SDK.
import { ConfigurationError } from '../../src/infrastructure/config/load-settings.js';
import type { Settings } from '../../src/infrastructure/config/settings.js';
import { readTracing } from '../../src/infrastructure/config/tracing-variables.js';
import { openTraces } from '../../src/main/open-traces.js';

const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' };

it.each([[{ ...ENDPOINT, OTEL_SDK_DISABLED: 'true' }], [{ ...ENDPOINT, OTEL_TRACES_EXPORTER: 'none' }]])(
  "the standard's own switches say off with %j",
  (environment) => {
    expect(readTracing(environment)).toBeNull();
  },
);

it('the shared endpoint is a base, the one of traces is taken as it is, and without either it is this machine', () => {
  const urlOf = (environment: Record<string, string>) => readTracing(environment)?.url;
  expect(urlOf(ENDPOINT)).toBe('http://collector:4318/v1/traces');
  expect(urlOf({ OTEL_EXPORTER_OTLP_ENDPOINT: 'https://c.example/otlp/' })).toBe('https://c.example/otlp/v1/traces');
  expect(urlOf({ ...ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://t:1/own' })).toBe('http://t:1/own');
  expect(urlOf({ OTEL_EXPORTER_OTLP_ENDPOINT: '' })).toBe('http://localhost:4318/v1/traces');
});

it('headers, resource, name, sampler and bounds come from the variables, with the standard defaults', () => {
  expect(readTracing(ENDPOINT)).toMatchObject({
    ...{ headers: {}, timeoutMs: 10_000, serviceName: 'temporal-outbox', resource: {} },
    sampler: { root: 'always_on', byParent: true },
    queue: { most: 2_048, batch: 512, everyMs: 5_000 },
  });
  const all = {
    ...ENDPOINT,
    OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20t,x-team=a',
    OTEL_EXPORTER_OTLP_TRACES_HEADERS: 'x-team=b',
    OTEL_EXPORTER_OTLP_TRACES_TIMEOUT: '2000',
    OTEL_RESOURCE_ATTRIBUTES: 'service.name=first,deployment.environment=prod',
    OTEL_TRACES_SAMPLER: 'traceidratio',
    OTEL_TRACES_SAMPLER_ARG: '0.25',
    OTEL_BSP_MAX_QUEUE_SIZE: '100',
    OTEL_BSP_SCHEDULE_DELAY: '50',
  };
  expect(readTracing(all)).toMatchObject({
    headers: { authorization: 'Bearer t', 'x-team': 'b' },
    ...{ timeoutMs: 2_000, serviceName: 'first', resource: { 'deployment.environment': 'prod' } },
    sampler: { root: 'traceidratio', ratio: 0.25, byParent: false },
    queue: { most: 100, batch: 100, everyMs: 50 },
  });
  expect(readTracing({ ...all, OTEL_SERVICE_NAME: 'second' })?.serviceName).toBe('second');
});

it('what does not fit is refused, all of it at once, and no header is shown', () => {
  const wrong = {
    OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4318',
    OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
    OTEL_EXPORTER_OTLP_HEADERS: 'a=b,top-secret',
    OTEL_TRACES_SAMPLER: 'sometimes',
    OTEL_BSP_MAX_QUEUE_SIZE: '0',
  };
  let thrown: unknown;
  try {
    readTracing(wrong);
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(ConfigurationError);
  const { message } = thrown as ConfigurationError;
  for (const name of Object.keys(wrong)) expect(message).toContain(`${name}: expected`);
  expect(message).not.toContain('top-secret');
  expect(message).toContain('OUTBOX_TRACES=off');
});

it('what is meant for others matters where OUTBOX_TRACES=on and nowhere else', async () => {
  const ofOthers = { ...ENDPOINT, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc', OTEL_TRACES_EXPORTER: 'console' };
  const log = { info() {} } as never;
  const open = (traces: Settings['traces']) => openTraces(ofOthers, { settings: { traces }, roles: ['api'], log });
  await expect(open('off')).resolves.toBeUndefined();
  await expect(open('on')).rejects.toThrow(/OTEL_TRACES_EXPORTER: expected otlp or none[\s\S]*OUTBOX_TRACES=off/);
});
