// The files by which the roles are deployed, held against the code: what they set, name and promise. Nothing is started here; that
// compose takes it is looked at in integration/deploy-schemas, that they work in e2e/deployed-roles.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { leastRetentionHours } from '../../src/application/delivery/doctor/judge-temporal.js';
import { resolvePolicies } from '../../src/application/delivery/policy-schema.js';
import { LIVE_PATH, METRICS_PATH, READY_PATH } from '../../src/contract/probes-api.js';
import { TEMPORAL_SERVER_VERSION } from '../../src/infrastructure/embedded/find-temporal.js';
import { NODE_MEMORY_FLAGS } from '../../src/main/chaos/fleet-member.js';
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
/** Which may be empty, and are no text of any kind. */
const UNSET = {
  APP: '',
  AUDIT_SIGNING_KEYS: '',
  OTEL_EXPORTER_OTLP_ENDPOINT: '',
  OUTBOX_TRACES: '',
  OUTBOX_MONITOR_URL: '',
  OUTBOX_TEMPORAL_UI_URL: '',
};

const MS = { s: 1_000, m: 60_000 };
const millisecondsOf = (text = '10s') => Number(text.slice(0, -1)) * MS[text.slice(-1) as 's' | 'm'];

interface Rule {
  readonly alert?: string;
  readonly labels?: { readonly severity: string };
}

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
    // The one that the documents name for handlers of one's own, here and in compose.
    const named = /^# The folder with your handlers.*: (\S+)\. Empty: (\S+),/m.exec(
      readFileSync('deploy/compose.env.example', 'utf8'),
    );
    expect(named?.slice(1)).toEqual([named?.[1], app]);
    expect(readFileSync('docs/deployment.md', 'utf8')).toContain(`cp -r ${app} ${named?.[1]}`);
    expect(isLetIn(`${named?.[1]}/temporal-outbox.config.ts`)).toBe(true);
    for (const path of [
      '.env',
      '.git/config',
      'node_modules/pg/index.js',
      'test/README.md',
      'deploy/app/.env',
      'docker-compose.yml',
      'shop/temporal-outbox.config.ts',
    ]) {
      expect([path, isLetIn(path)]).toEqual([path, false]);
    }
  });

  it('makes what it installs readable for its user, under whatever umask the checkout was made, and links the command to the PATH', () => {
    const install = dockerfile().find(({ name, text }) => name === 'RUN' && text.includes('npm install'))?.text ?? '';
    expect(install).toMatch(/&& chmod -R a\+rX,go-w \.$/);
    const [, target, link] =
      /ln -s (\S+) (\S+)/.exec(imageInstructions().find(({ name }) => name === 'RUN')?.text ?? '') ?? [];
    const entry = imageInstructions().find(({ name }) => name === 'ENTRYPOINT')?.text ?? '[]';
    expect([JSON.parse(entry).at(-1), '/usr/local/bin/outbox']).toEqual([target, link]);
  });

  it('is asked for its health by a script that is in it, without a program that is not', () => {
    const health = imageInstructions().find(({ name }) => name === 'HEALTHCHECK')?.text ?? '';
    expect(health).toContain('CMD ["node", "/app/deploy/health.mjs"]');
    const script = readFileSync('deploy/health.mjs', 'utf8');
    expect(script).toContain(`?? '${LIVE_PATH}'`);
    expect(script).toContain(`path === '${METRICS_PATH}'`);
    const { OUTBOX_API_PORT: api, OUTBOX_PROBE_PORT: probes, OUTBOX_METRICS_PORT: metrics } = imageEnvironment();
    expect(imageInstructions().find(({ name }) => name === 'EXPOSE')?.text).toBe(`${api} ${probes} ${metrics}`);
    expect(api).not.toBe(probes); // one process may have both
  });

  it('gives a process as much memory as the roles of a chaos run have, and the guide asks for', () => {
    const { NODE_OPTIONS: flags } = imageEnvironment();
    expect(flags).toBe(NODE_MEMORY_FLAGS.join(' '));
    expect(readFileSync('docs/running.md', 'utf8')).toContain(`NODE_OPTIONS="${flags}"`);
  });
});

describe('docker-compose.yml', () => {
  const raw = composeFile();
  const example = readFileSync('deploy/compose.env.example', 'utf8');
  const named = [...example.matchAll(/^(\w+)=(.*)$/gm)].map(([, name, value]) => ({ name: name as string, value }));
  const values = Object.fromEntries(named.map(({ name }) => [name, SAMPLES[name] ?? 'x']));
  const { services } = composeFileWith({ ...values, ...UNSET });
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

  it('is built with the handlers of the folder that .env names, and takes any other setting for its roles from a file', () => {
    const { services: own } = composeFileWith({ ...values, ...UNSET, APP: 'deploy/shop' });
    for (const [name, { build }] of ours) {
      expect([name, build]).toEqual([name, { context: '.', args: { APP: 'deploy/app' } }]);
      expect(own[name]?.build?.args).toEqual({ APP: 'deploy/shop' });
    }
    for (const role of roles) expect(services[role]?.env_file).toEqual([{ path: 'outbox.env', required: false }]);
    for (const ignored of ['.env', 'outbox.env']) {
      expect(readFileSync('.gitignore', 'utf8').split('\n')).toContain(ignored);
    }
  });

  it('hands the monitor address on to whoever links to it or checks it', () => {
    const url = 'https://outbox.example/monitor';
    const { services: set } = composeFileWith({ ...values, ...UNSET, OUTBOX_MONITOR_URL: url });
    for (const role of roles) expect(set[role]?.environment?.OUTBOX_MONITOR_URL).toBe(url);
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
    const { alerting } = parse(scraped);
    const { targets } = alerting.alertmanagers[0].static_configs[0];
    expect(targets).toEqual(['alertmanager:9093']);
    expect(services.alertmanager?.command?.join()).toContain('--config.file=/etc/alertmanager/alertmanager.yml');
  });

  it('routes each severity that there is, inhibits by alerts that there are, and sends to the address of .env', () => {
    const { groups } = parse(readFileSync('deploy/prometheus/alerts.yml', 'utf8'));
    const alerts: Rule[] = groups
      .flatMap(({ rules }: { rules: Rule[] }) => rules)
      .filter(({ alert }: Rule) => alert !== undefined);
    const {
      route,
      receivers,
      inhibit_rules: inhibitions,
    } = parse(readFileSync('deploy/alertmanager/alertmanager.yml', 'utf8'));
    const own = route.routes.map(({ receiver, matchers }: { receiver: string; matchers: string[] }) => [
      /^severity="(\w+)"$/.exec(matchers.join())?.[1],
      receiver,
    ]);
    expect(own).toEqual([
      ['critical', 'webhook'],
      ['info', 'nobody'],
    ]);
    expect([...new Set(alerts.map(({ labels }) => labels?.severity))].sort()).toEqual(['critical', 'info', 'warning']);
    expect([route.receiver, receivers.map(({ name }: { name: string }) => name)]).toEqual([
      'webhook',
      ['webhook', 'nobody'],
    ]);
    const [{ url_file: file }] = receivers[0].webhook_configs;
    expect(services.alertmanager?.command?.join()).toContain(`> ${file}`);
    for (const { source_matchers: sources, target_matchers: targets } of inhibitions) {
      for (const matcher of [...sources, ...targets]) {
        const [, names = ''] = /^alertname=~"(.+)"$/.exec(matcher) ?? [];
        for (const name of names.split('|')) {
          const found = alerts.filter(({ alert = '' }) => new RegExp(`^${name}$`).test(alert));
          expect([name, found.length > 0]).toEqual([name, true]);
        }
      }
    }
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
    expect(services.temporal?.image).toBe(`temporalio/server:${TEMPORAL_SERVER_VERSION}`);
    expect(services['temporal-schema']?.image).toContain(`admin-tools:${TEMPORAL_SERVER_VERSION}-`);
    for (const [, { image }] of ours) expect(image).toBe(`temporal-outbox:${manifest.version}`);
    for (const { image } of Object.values(services)) expect(image).toMatch(/:v?\d+\.\d+/);
  });
});
