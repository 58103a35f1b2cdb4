// deploy/kubernetes, held against the code: what it sets, names and promises. That Kubernetes takes it is looked at in
// integration/deploy-schemas. Not started anywhere.
import { existsSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { LIVE_PATH, METRICS_PATH, READY_PATH } from '../../src/contract/probes-api.js';
import { isSecret, problemsOf, SAMPLES } from '../support/deployed-settings.js';
import { imageEnvironment, imageUser } from '../support/docker-file.js';
import { kubernetesFiles, kubernetesObjects, podsOf, settingsBuiltBy } from '../support/kubernetes-files.js';

describe('deploy/kubernetes', () => {
  const objects = kubernetesObjects();
  const settings = objects.filter(({ kind }) => kind === 'ConfigMap').flatMap(({ data = {} }) => Object.entries(data));
  const base = Object.fromEntries(
    objects
      .filter(({ kind, file }) => kind === 'ConfigMap' && file.includes('/settings/'))
      .flatMap(({ data = {} }) => Object.entries(data)),
  );
  const pods = podsOf(objects.filter(({ file }) => !/\/(overlays|components)\//.test(file)));
  const OVERLAYS = ['example', 'example-migrate', 'example-owner'].map((name) => `overlays/${name}`);

  it('gives each process the settings without which it does not start, and none that is unknown', () => {
    expect(pods.map(({ name }) => name).sort()).toEqual([
      'outbox-api',
      'outbox-migrate/grants',
      'outbox-migrate/migrate',
      'outbox-owner',
      'outbox-relay',
      'outbox-worker',
    ]);
    for (const { name, container } of pods) {
      const shared = container.envFrom === undefined ? {} : base;
      const own = Object.fromEntries(
        (container.env ?? []).map(({ name, value, valueFrom }) => [
          name,
          value ?? SAMPLES[name] ?? base[valueFrom?.configMapKeyRef?.key ?? ''] ?? '',
        ]),
      );
      // The owner's container runs what is typed into it.
      const command = container.args?.[0] ?? 'keys create';
      expect([name, problemsOf({ ...shared, ...own }, command)]).toEqual([name, []]);
    }
    expect(problemsOf(Object.fromEntries(settings), 'doctor').join()).not.toContain('unknown');
  });

  it('builds the same settings for the job before the roles and for the roles, on whatever Temporal', () => {
    const [roles] = OVERLAYS;
    const { OUTBOX_DEPLOYMENT: own } = settingsOf('overlays/example/settings');
    expect(own).toBeDefined(); // else a copy would be migrated as the base's
    const chosen = [
      () => undefined,
      (choices: readonly string[]) => choices[0],
      (choices: readonly string[]) => choices[1],
    ];
    const addresses = chosen.map((choose) => {
      const expected = settingsBuiltBy(roles as string, choose);
      expect(expected).toMatchObject({ ...base, ...settingsOf('overlays/example/settings'), ...temporalOf(expected) });
      for (const name of OVERLAYS) expect([name, settingsBuiltBy(name, choose)]).toEqual([name, expected]);
      return expected.TEMPORAL_ADDRESS as string;
    });
    expect(addresses[0]).toBe(base.TEMPORAL_ADDRESS);
    // A region's endpoint takes keys, a namespace's own takes certificates.
    expect(addresses[1]).toMatch(/^[\w-]+\.(aws|gcp)\.api\.temporal\.io:7233$/);
    expect(addresses[2]).toMatch(/^[\w.-]+\.tmprl\.cloud:7233$/);
    const where = readFileSync('docs/deployment.md', 'utf8');
    for (const address of addresses.slice(1)) expect(where).toContain(`TEMPORAL_ADDRESS=${address}`);
  });

  it('grants after it has migrated, to the roles by which the processes connect', () => {
    const job = objects.find(({ kind, file }) => kind === 'Job' && file.includes('/migrate/'));
    const { initContainers, containers, restartPolicy } = job?.spec.template.spec ?? {};
    expect(restartPolicy).toBe('OnFailure');
    const argsOf = (list: { args: string[] }[]) => list.map(({ args }) => args.slice(0, 2));
    expect(argsOf(initContainers)).toEqual([['migrate', 'deploy']]);
    expect(argsOf(containers)).toEqual([['grants', '--apply']]);
    const options = (args: readonly string[]) => args.filter((word) => word.startsWith('--'));
    const patched = objects.find(({ kind, file }) => kind === 'Job' && file.includes('/example-migrate/'));
    expect(options(patched?.spec.template.spec.containers[0].args)).toEqual(options(containers[0].args));
    expect(options(containers[0].args)).toEqual(['--apply', '--producer', '--relay', '--worker', '--api']);
  });

  it('takes secrets by reference alone, and docs/deployment.md says which there must be', () => {
    expect(objects.filter(({ kind }) => kind === 'Secret')).toEqual([]);
    expect(settings.filter(([name]) => isSecret(name))).toEqual([]);
    const docs = readFileSync('docs/deployment.md', 'utf8');
    for (const { container } of pods) {
      for (const { name, value, valueFrom } of container.env ?? []) {
        if (!isSecret(name)) continue;
        expect([name, value, valueFrom?.secretKeyRef?.key]).toEqual([name, undefined, name]);
        expect(docs).toMatch(new RegExp(`^ *\\| \`${valueFrom?.secretKeyRef?.name}\` \\|.*\`${name}\``, 'm'));
      }
    }
  });

  it('looks at the probes that there are, at the port of the role, and scrapes there, too', () => {
    const { OUTBOX_API_PORT: api, OUTBOX_PROBE_PORT: probes, OUTBOX_METRICS_PORT: metrics } = imageEnvironment();
    for (const { name, container, annotations } of pods.filter(({ kind }) => kind === 'Deployment')) {
      const port = Number(name === 'outbox-api' ? api : probes);
      expect([name, container.ports]).toEqual([
        name,
        [
          { name: 'http', containerPort: port },
          { name: 'metrics', containerPort: Number(metrics) },
        ],
      ]);
      expect(annotations).toEqual({
        'prometheus.io/scrape': 'true',
        'prometheus.io/port': metrics,
        'prometheus.io/path': METRICS_PATH,
      });
      const { startupProbe, livenessProbe, readinessProbe } = container;
      expect([startupProbe, livenessProbe, readinessProbe].map((probe) => probe?.httpGet)).toEqual([
        { path: LIVE_PATH, port: 'http' },
        { path: LIVE_PATH, port: 'http' },
        { path: READY_PATH, port: 'http' },
      ]);
    }
  });

  it('has a monitor for the operator of Prometheus that takes each role, at the port and path of its metrics, and names its outbox', () => {
    const monitor = objects.find(({ kind }) => kind === 'PodMonitor')?.spec;
    const [{ port, path, relabelings }] = monitor.podMetricsEndpoints;
    expect(path).toBe(METRICS_PATH);
    expect(relabelings).toEqual([
      { action: 'replace', targetLabel: 'deployment', replacement: base.OUTBOX_DEPLOYMENT },
    ]);
    for (const { kind, labels, container } of pods) {
      if (kind !== 'Deployment') continue;
      expect(selects(monitor.selector, labels)).toBe(true);
      expect((container.ports as { name: string }[]).map(({ name }) => name)).toContain(port);
    }
  });

  it('runs two of each role, spread, one disturbed at a time, with longer to stop than they take', () => {
    const budgets = objects
      .filter(({ kind }) => kind === 'PodDisruptionBudget')
      .map(({ spec }) => spec?.selector?.matchLabels);
    for (const { kind, labels, replicas, spec, container } of pods) {
      if (kind !== 'Deployment') continue;
      expect(replicas).toBe(2);
      expect(budgets).toContainEqual(labels);
      const grace =
        Number(base.OUTBOX_SHUTDOWN_GRACE_MS) / 1_000 + Number(container.lifecycle?.preStop?.sleep?.seconds ?? 0);
      expect(spec.terminationGracePeriodSeconds).toBeGreaterThan(grace + 5);
      expect(spec.topologySpreadConstraints?.map(({ labelSelector }) => labelSelector.matchLabels)).toEqual([
        labels,
        labels,
      ]);
    }
  });

  it('fits the restricted standard, with the user of the image, and no variable of a Service in the way of a setting', () => {
    const { uid, gid } = imageUser();
    for (const { spec, container } of pods) {
      expect(spec).toMatchObject({ enableServiceLinks: false, automountServiceAccountToken: false });
      expect(spec.securityContext).toMatchObject({
        runAsNonRoot: true,
        runAsUser: uid,
        runAsGroup: gid,
        seccompProfile: { type: 'RuntimeDefault' },
      });
      expect(container.securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
      expect(container.resources.limits.memory).toMatch(/^\d+Mi$/);
      expect(container.volumeMounts).toEqual([{ name: 'tmp', mountPath: '/tmp' }]);
    }
  });

  it('denies what is not named: every pod of ours is under a policy of both directions', () => {
    const policies = objects.filter(({ kind }) => kind === 'NetworkPolicy');
    const all = policies.find(({ metadata }) => metadata.name === 'outbox-deny-all');
    expect(all?.spec).toEqual({
      podSelector: { matchLabels: { 'app.kubernetes.io/name': 'temporal-outbox' } },
      policyTypes: ['Ingress', 'Egress'],
    });
    for (const { labels } of pods) expect(labels['app.kubernetes.io/name']).toBe('temporal-outbox');
  });

  it('lets each pod reach whom it asks: whose key or address it has, and what its handlers deliver to or ask', () => {
    const POSTGRES = '5432 of all';
    const API = '8080 of api';
    const NEEDED: Record<string, string> = {
      OUTBOX_DATABASE_URL: POSTGRES,
      AUDIT_DATABASE_URL: POSTGRES,
      OUTBOX_AUDIT_API_KEY: API,
      TEMPORAL_API_KEY: '7233 of all',
    };
    for (const { name, kind, labels, container } of pods) {
      const reached = reachedBy(labels);
      const asked = (container.env ?? []).flatMap(({ name: variable }) => NEEDED[variable] ?? []);
      const all = kind === 'Deployment' ? [...asked, API, '443 of all', '4318 of all'] : asked;
      expect([name, [...all, '53 of all'].filter((one) => !reached.includes(one))]).toEqual([name, []]);
    }
    // And no further.
    expect([...new Set(reachedBy({ 'app.kubernetes.io/component': 'migrate' }))].sort()).toEqual([
      '4318 of all',
      '53 of all',
      POSTGRES,
    ]);
    expect(reachedBy({ 'app.kubernetes.io/component': 'api' })).not.toContain('7233 of all');
  });

  it('has a Deployment of its own for each build of versioned workers, which nothing else of ours selects', () => {
    const build = parse(readFileSync('deploy/kubernetes/overlays/example-worker-build/kustomization.yaml', 'utf8'));
    const [{ pairs, includeSelectors }] = build.labels;
    const version = pairs['app.kubernetes.io/version'];
    expect(includeSelectors).toBe(true);
    expect([build.nameSuffix, build.images[0].newTag]).toEqual([`-${version.replaceAll('.', '-')}`, version]);
    expect(build.components).toEqual(['../example/settings']);
    const settings = parse(readFileSync('deploy/kubernetes/overlays/example/settings/kustomization.yaml', 'utf8'));
    expect(build.images[0].name).toBe(settings.images[0].newName);
    // A tag of before would run the image of before on this release's schema.
    const { version: released } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    expect(settings.images[0].newTag).toBe(released);
    // Without it the base's worker would be replaced at once, and no build of before would be left.
    const without = parse(readFileSync('deploy/kubernetes/components/without-worker/kustomization.yaml', 'utf8'));
    expect(parse(without.patches[0].patch)).toEqual({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'outbox-worker' },
      $patch: 'delete',
    });
  });

  it('lists every file in a kustomization, and nothing that is not there', () => {
    const { listed, files } = kubernetesFiles();
    expect(files.filter((file) => !listed.has(file))).toEqual([]);
    expect([...listed].filter((file) => !existsSync(file))).toEqual([]);
  });

  function settingsOf(folder: string): Record<string, string> {
    const map = objects.find(
      ({ kind, file }) => kind === 'ConfigMap' && file.startsWith(`deploy/kubernetes/${folder}/`),
    );
    return { ...map?.data };
  }

  /** What a Temporal chosen by a component may change. */
  function temporalOf(built: Record<string, string>): Record<string, string> {
    return Object.fromEntries(Object.entries(built).filter(([name]) => name.startsWith('TEMPORAL_')));
  }

  /** By all policies together: `PORT of WHOM`, where whom is a component, or all. */
  function reachedBy(labels: Readonly<Record<string, string>>): string[] {
    const own = { 'app.kubernetes.io/name': 'temporal-outbox', ...labels };
    return objects
      .filter(({ kind, spec }) => kind === 'NetworkPolicy' && selects(spec.podSelector, own))
      .flatMap(({ spec }) => spec.egress ?? [])
      .flatMap(({ ports, to }: Egress) =>
        ports.map(({ port }) => {
          const whom = to?.map(({ podSelector }) => podSelector.matchLabels['app.kubernetes.io/component']).join();
          return `${port} of ${whom ?? 'all'}`;
        }),
      );
  }
});

interface Egress {
  readonly ports: readonly { readonly port: number }[];
  readonly to?: readonly { readonly podSelector: { readonly matchLabels: Readonly<Record<string, string>> } }[];
}

interface Selector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly { readonly key: string; readonly operator: string; readonly values: string[] }[];
}

/** @throws Error for an operator other than In, the only one that our policies have */
function selects({ matchLabels = {}, matchExpressions = [] }: Selector, labels: Readonly<Record<string, string>>) {
  const expressions = matchExpressions.every(({ key, operator, values }) => {
    if (operator !== 'In') throw new Error(`expected the operator In, got ${operator}`);
    return values.includes(labels[key] ?? '');
  });
  return expressions && Object.entries(matchLabels).every(([key, value]) => labels[key] === value);
}
