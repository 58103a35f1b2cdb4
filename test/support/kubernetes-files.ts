/** deploy/kubernetes as objects, each with the file that it stands in, and what its kustomizations name. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';

const FOLDER = 'deploy/kubernetes';

export interface KubernetesObject {
  readonly file: string;
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly data?: Readonly<Record<string, string>>;
  // biome-ignore lint/suspicious/noExplicitAny: the shape is another for each kind, and integration/deploy-schemas holds it
  readonly spec?: any;
}

interface Variable {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: {
    readonly secretKeyRef?: { readonly name: string; readonly key: string };
    readonly configMapKeyRef?: { readonly name: string; readonly key: string };
  };
}

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
}

export interface Pod {
  readonly name: string;
  readonly kind: string;
  readonly replicas: number | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>> | undefined;
  readonly spec: {
    readonly terminationGracePeriodSeconds?: number;
    readonly topologySpreadConstraints?: readonly { readonly labelSelector: { readonly matchLabels: object } }[];
    readonly securityContext: object;
  };
  readonly container: {
    readonly name: string;
    readonly image: string;
    readonly args?: readonly string[];
    readonly command?: readonly string[];
    readonly env?: readonly Variable[];
    readonly envFrom?: readonly object[];
    readonly ports?: readonly object[];
    readonly startupProbe?: Probe;
    readonly livenessProbe?: Probe;
    readonly readinessProbe?: Probe;
    readonly lifecycle?: { readonly preStop?: { readonly sleep?: { readonly seconds: number } } };
    readonly securityContext: object;
    readonly resources: { readonly limits: { readonly memory: string } };
    readonly volumeMounts: readonly object[];
  };
}

const yamlFiles = () =>
  readdirSync(FOLDER, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.yaml'))
    .map((path) => join(FOLDER, path));

/** Kustomizations and JSON patches, which are no objects of a cluster, left out. */
export function kubernetesObjects(): KubernetesObject[] {
  return yamlFiles().flatMap((file) =>
    parseAllDocuments(readFileSync(file, 'utf8'))
      .map((document) => document.toJS() as KubernetesObject)
      .filter((object) => !Array.isArray(object) && object.kind !== 'Kustomization' && object.kind !== 'Component')
      .map((object) => ({ ...object, file })),
  );
}

/** One for each container: of a job with several, each has the pod's labels and a name of its own. */
export function podsOf(objects: readonly KubernetesObject[]): Pod[] {
  return objects
    .filter(({ kind }) => kind === 'Deployment' || kind === 'Job')
    .flatMap(({ kind, metadata, spec }) => {
      const { initContainers = [], containers } = spec.template.spec;
      return [...initContainers, ...containers].map((container) => ({
        name: initContainers.length === 0 ? metadata.name : `${metadata.name}/${container.name}`,
        kind,
        replicas: spec.replicas,
        labels: spec.template.metadata.labels,
        annotations: spec.template.metadata.annotations,
        spec: spec.template.spec,
        container,
      }));
    });
}

interface Kustomization {
  readonly kind: string;
  readonly resources?: readonly string[];
  readonly components?: readonly string[];
  readonly patches?: readonly { readonly path?: string; readonly target?: { readonly kind: string } }[];
}

const kustomizationIn = (folder: string) => readFileSync(join(folder, 'kustomization.yaml'), 'utf8');

/** Components that are there to be chosen, as comments: for each the kustomization with it. */
function choicesOf(text: string): string[] {
  return [...text.matchAll(/^# (components: .*)$/gm)].map(([line, chosen]) => text.replace(line, chosen as string));
}

/** Every file, and those that a kustomization names: a folder stands for the kustomization in it. */
export function kubernetesFiles(): { files: string[]; listed: Set<string> } {
  const all = yamlFiles();
  const listed = new Set<string>();
  for (const file of all.filter((path) => path.endsWith('kustomization.yaml'))) {
    const text = readFileSync(file, 'utf8');
    for (const { resources = [], components = [], patches = [] } of [text, ...choicesOf(text)].map(
      (version) => parse(version) as Kustomization,
    )) {
      for (const name of [...resources, ...components, ...patches.flatMap(({ path }) => path ?? [])]) {
        const path = normalize(join(dirname(file), name));
        listed.add(path.endsWith('.yaml') ? path : join(path, 'kustomization.yaml'));
      }
    }
  }
  return { files: all.filter((path) => !path.endsWith('kustomization.yaml')), listed };
}

/**
 * What a kustomization makes of the ConfigMap, as kustomize does it: resources, then components, then patches. `choose` is asked for
 * each kustomization that offers choices: which of them, or none.
 */
export function settingsBuiltBy(
  name: string,
  choose: (choices: readonly string[]) => string | undefined = () => undefined,
): Record<string, string> {
  const build = (folder: string): Record<string, string> => {
    const text = kustomizationIn(folder);
    const { resources = [], components = [], patches = [] } = parse(choose(choicesOf(text)) ?? text) as Kustomization;
    const inFile = (path: string) =>
      parseAllDocuments(readFileSync(join(folder, path), 'utf8'))
        .map((document) => document.toJS() as KubernetesObject)
        .filter(({ kind }) => kind === 'ConfigMap')
        .map(({ data }) => data);
    const merged = [...resources, ...components].flatMap((path) =>
      path.endsWith('.yaml') ? inFile(path) : [build(join(folder, path))],
    );
    return Object.assign({}, ...merged, ...patches.flatMap(({ path }) => (path === undefined ? [] : inFile(path))));
  };
  return build(join(FOLDER, name));
}
