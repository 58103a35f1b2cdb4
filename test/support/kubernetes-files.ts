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
    readonly args: readonly string[];
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
      .filter((object) => !Array.isArray(object) && object.kind !== 'Kustomization')
      .map((object) => ({ ...object, file })),
  );
}

export function podsOf(objects: readonly KubernetesObject[]): Pod[] {
  return objects
    .filter(({ kind }) => kind === 'Deployment' || kind === 'Job')
    .map(({ kind, metadata, spec }) => ({
      name: metadata.name,
      kind,
      replicas: spec.replicas,
      labels: spec.template.metadata.labels,
      annotations: spec.template.metadata.annotations,
      spec: spec.template.spec,
      container: spec.template.spec.containers[0],
    }));
}

/** Every file, and those that a kustomization names: a resource that is a folder stands for the kustomization in it. */
export function kubernetesFiles(): { files: string[]; listed: Set<string> } {
  const all = yamlFiles();
  const listed = new Set<string>();
  for (const file of all.filter((path) => path.endsWith('kustomization.yaml'))) {
    const { resources = [], patches = [] } = parse(readFileSync(file, 'utf8')) as {
      resources?: string[];
      patches?: { path: string }[];
    };
    for (const name of [...resources, ...patches.map(({ path }) => path)]) {
      const path = normalize(join(dirname(file), name));
      listed.add(path.endsWith('.yaml') ? path : join(path, 'kustomization.yaml'));
    }
  }
  return { files: all.filter((path) => !path.endsWith('kustomization.yaml')), listed };
}
