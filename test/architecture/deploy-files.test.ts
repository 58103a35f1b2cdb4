// The files by which the roles are deployed, held against the code: what they set, name and promise. Nothing is started here; that
// compose takes it is looked at in integration/deploy-schemas, that they work in e2e/deployed-roles.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { leastRetentionHours } from '../../src/application/delivery/doctor/judge-temporal.js';
import { resolvePolicies } from '../../src/application/delivery/policy-schema.js';
import { LIVE_PATH, READY_PATH } from '../../src/contract/probes-api.js';
import { longestDeadline } from '../../src/main/longest-deadline.js';
import {
  type ComposeService,
  composeFile,
  composeFileWith,
  dependenciesOf,
  inOrder,
  variablesOf,
} from '../support/compose-file.js';
import { isSecret, problemsOf, SAMPLES } from '../support/deployed-settings.js';
import { dockerfile, imageEnvironment, imageInstructions, imageUser } from '../support/docker-file.js';

const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as {
  version: string;
  files: string[];
  devDependencies: { node: string };
};
const MS = { s: 1_000, m: 60_000 };
const millisecondsOf = (text = '10s') => Number(text.slice(0, -1)) * MS[text.slice(-1) as 's' | 'm'];

describe('the Dockerfile', () => {
  const [, ...stages] = dockerfile().filter(({ name }) => name === 'FROM');
  const ignored = readFileSync('.dockerignore', 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  /** The last pattern that fits decides; a folder stands for what is in it. */
  const isLetIn = (path: string) => {
    const fits = (pattern: string) => {
      const expression = pattern
        .split('**/')
        .map((part) => part.replaceAll('.', '\\.'))
        .join('(.*/)?');
      return pattern === '**' || new RegExp(`^${expression}(/|$)`).test(path);
    };
    const last = ignored.findLast((line) => fits(line.replace(/^!/, '')));
    return last?.startsWith('!') ?? true;
  };

  it('has the Node of package.json in every stage, pinned, and an image that has no package manager and is not root', () => {
    const pinned = dockerfile().find(({ name, text }) => name === 'ARG' && text.startsWith('NODE='))?.text;
    expect(pinned).toBe(`NODE=node:${manifest.devDependencies.node}-bookworm-slim`);
    expect(stages.length + 1).toBe(3);
    for (const { text } of dockerfile().filter(({ name }) => name === 'FROM'))
      expect(text).toMatch(/^\$\{NODE\}( AS \w+)?$/);
    expect(imageUser().uid).toBeGreaterThanOrEqual(10_000);
    const run = imageInstructions().find(({ name }) => name === 'RUN')?.text ?? '';
    expect(run).toContain('/usr/local/bin/npm');
    expect(run).not.toMatch(/curl|wget/);
  });

  it('copies what is there and what is let in; the build gets all that it packs, and nothing of a checkout besides', () => {
    const app = dockerfile()
      .find(({ name, text }) => name === 'ARG' && text.startsWith('APP='))
      ?.text.slice(4);
    const copied = dockerfile()
      .filter(({ name, text }) => name === 'COPY' && !text.startsWith('--from'))
      .flatMap(({ text }) => text.split(/\s+/).slice(0, -1))
      .map((path) => path.replace(/^\$\{APP\}/, app ?? '').replace(/\/$/, ''))
      .filter((path) => path !== '.');
    expect(copied).toContain('deploy/health.mjs');
    for (const path of copied) expect([path, existsSync(path), isLetIn(path)]).toEqual([path, true, true]);
    const tracked = execFileSync('git', ['ls-files'], { encoding: 'utf8' }).trim().split('\n');
    const needed = /^(src|config|prisma|workflows|activities)\/|^(package(-lock)?|tsconfig)\.json$/;
    const packed = manifest.files.filter((path) => !/^(!|dist)/.test(path));
    expect(tracked.filter((path) => needed.test(path) && !isLetIn(path))).toEqual([]);
    expect(packed.filter((path) => !isLetIn(path))).toEqual([]);
    for (const path of [
      '.env',
      '.git/config',
      'node_modules/pg/index.js',
      'test/README.md',
      'deploy/app/.env',
      'docker-compose.yml',
    ]) {
      expect([path, isLetIn(path)]).toEqual([path, false]);
    }
  });

  it('is asked for its health by a script that is in it, without a program that is not', () => {
    const health = imageInstructions().find(({ name }) => name === 'HEALTHCHECK')?.text ?? '';
    expect(health).toContain('CMD ["node", "/app/deploy/health.mjs"]');
    expect(readFileSync('deploy/health.mjs', 'utf8')).toContain(`?? '${LIVE_PATH}'`);
    const { OUTBOX_API_PORT: api, OUTBOX_PROBE_PORT: probes, OUTBOX_METRICS_PORT: metrics } = imageEnvironment();
    expect(imageInstructions().find(({ name }) => name === 'EXPOSE')?.text).toBe(`${api} ${probes} ${metrics}`);
    expect(api).not.toBe(probes); // one process may have both
  });
});

describe('docker-compose.yml', () => {
  const raw = composeFile();
  const example = readFileSync('deploy/compose.env.example', 'utf8');
  const named = [...example.matchAll(/^(\w+)=(.*)$/gm)].map(([, name, value]) => ({ name: name as string, value }));
  const values = Object.fromEntries(named.map(({ name }) => [name, SAMPLES[name] ?? 'x']));
  const { services } = composeFileWith({ ...values, AUDIT_SIGNING_KEYS: '', OTEL_EXPORTER_OTLP_ENDPOINT: '' });
  const ours = Object.entries(services).filter(([, { image }]) => image.startsWith('temporal-outbox:'));
  const roles = ['api', 'relay', 'worker'] as const;

  it('gives each process of ours the settings without which it does not start, and none that is unknown', () => {
    expect(ours.length).toBe(6);
    for (const [name, { environment = {}, command = [], entrypoint }] of ours) {
      if (entrypoint !== undefined) continue; // not our command line
      expect([name, problemsOf(environment, command[0] as string)]).toEqual([name, []]);
    }
  });

  it('holds no secret and no default of one; its example names every variable, and no value', () => {
    const literal = Object.entries(raw.services).flatMap(([name, { environment = {} }]) =>
      Object.entries(environment)
        .filter(([variable, text]) => isSecret(variable) && !/^[^$]*\$\{\w+(:\?[^}]*|:-)\}[^$]*$/.test(text))
        .map(([variable]) => `${name}.${variable}`),
    );
    expect(literal).toEqual([]);
    for (const { environment = {} } of Object.values(raw.services)) {
      for (const text of Object.values(environment)) expect(text).not.toMatch(/:\/\/[^/@]*:(?!\$\{)[^/@]*@/);
    }
    const asked = variablesOf(raw);
    expect([...asked.keys()].sort()).toEqual(named.map(({ name }) => name).sort());
    expect(named.filter(({ value }) => value !== '')).toEqual([]);
    for (const [variable, ways] of asked) {
      if (variable.startsWith('DB_')) expect([variable, ...ways]).toEqual([variable, ':?']);
    }
  });

  it('waits in an order that there is, for health that is looked at and for jobs that end', () => {
    expect(inOrder(services).length).toBe(Object.keys(services).length);
    for (const service of Object.values(services)) {
      for (const [name, condition] of Object.entries(dependenciesOf(service))) {
        const other = services[name] as ComposeService;
        if (condition === 'service_healthy')
          expect([name, other.healthcheck?.test?.length ?? 0]).not.toEqual([name, 0]);
        if (condition === 'service_completed_successfully')
          expect([name, other.restart]).toEqual([name, 'on-failure:5']);
      }
    }
    for (const role of roles) expect(Object.keys(dependenciesOf(services[role] as ComposeService))).toContain('grants');
    expect(dependenciesOf(services.grants as ComposeService)).toEqual({ migrate: 'service_completed_successfully' });
  });

  it('runs two of each role, which have longer to stop than they take, are ready before others wait for them, and are bounded', () => {
    for (const role of roles) {
      const { deploy, environment = {}, stop_grace_period: grace, healthcheck } = services[role] as ComposeService;
      expect([role, deploy?.replicas]).toEqual([role, 2]);
      expect(millisecondsOf(grace)).toBeGreaterThan(Number(environment.OUTBOX_SHUTDOWN_GRACE_MS) + 5_000);
      expect(healthcheck?.test).toEqual(['CMD', 'node', '/app/deploy/health.mjs', READY_PATH]);
    }
    for (const [name, { deploy }] of Object.entries(services)) {
      expect([name, Object.keys(deploy?.resources.limits ?? {})]).toEqual([name, ['cpus', 'memory']]);
    }
  });

  it('lets nobody gain a right, lets ours write nowhere but to /tmp, and publishes on this machine alone', () => {
    for (const [name, { cap_drop, security_opt, ports = [] }] of Object.entries(services)) {
      expect([name, cap_drop, security_opt]).toEqual([name, ['ALL'], ['no-new-privileges:true']]);
      for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:/);
    }
    for (const [name, { read_only }] of ours) expect([name, read_only]).toEqual([name, true]);
    expect(services.api?.ports?.[0]?.split(':').at(-1)).toBe(imageEnvironment().OUTBOX_API_PORT);
  });

  it('mounts what is there, and scrapes each role at the port for it by the rules that there are', () => {
    const mounted = Object.values(services).flatMap(({ volumes = [] }) =>
      volumes.map((volume) => volume.split(':')[0] as string),
    );
    for (const source of mounted) {
      expect([source, source.startsWith('./') ? existsSync(source) : source in raw.volumes]).toEqual([source, true]);
    }
    const scraped = readFileSync('deploy/prometheus/prometheus.yml', 'utf8');
    const { OUTBOX_METRICS_PORT: port } = imageEnvironment();
    const found = [...scraped.matchAll(/names: \[(\w+)\], type: A, port: (\d+)/g)].map(([, ...found]) => found);
    expect(found).toEqual(roles.map((role) => [role, port]));
    const [, rules = ''] = /^rule_files: \[\/etc\/prometheus\/(.+)\]$/m.exec(scraped) ?? [];
    expect(existsSync(`deploy/prometheus/${rules}`)).toBe(true);
  });

  it('has the namespace that the roles use, kept for as long as the policies need, on the server that the tests run on', () => {
    const [script = ''] = services['temporal-namespace']?.command ?? [];
    const hours = Number(/--retention (\d+)h/.exec(script)?.[1]);
    expect(hours).toBeGreaterThanOrEqual(leastRetentionHours(longestDeadline(resolvePolicies({}))));
    const { environment: made = {} } = services['temporal-namespace'] as ComposeService;
    for (const role of ['relay', 'worker']) {
      const { TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE } = services[role]?.environment ?? {};
      expect([TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE]).toEqual([made.TEMPORAL_ADDRESS, made.TEMPORAL_NAMESPACE]);
    }
    const server = /server is (\d+\.\d+\.\d+)/.exec(
      readFileSync('src/infrastructure/embedded/find-temporal.ts', 'utf8'),
    )?.[1];
    expect(services.temporal?.image).toBe(`temporalio/server:${server}`);
    expect(services['temporal-schema']?.image).toContain(`admin-tools:${server}-`);
    for (const [, { image }] of ours) expect(image).toBe(`temporal-outbox:${manifest.version}`);
    for (const { image } of Object.values(services)) expect(image).toMatch(/:v?\d+\.\d+/);
  });
});
