// Real: the schemas by which others judge docker-compose.yml (the Compose specification's, which is inside compose-go, the library
// of docker compose) and deploy/kubernetes (Kubernetes' own OpenAPI documents, which are inside kubectl-validate), out of Go's
// module proxy. Nothing of Go is built. Not looked at: what only an engine or a cluster knows.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { composeFile } from '../support/compose-file.js';
import { type KubernetesObject, kubernetesObjects } from '../support/kubernetes-files.js';
import { moduleFolder } from '../support/module-folder.js';

const COMPOSE = 'github.com/compose-spec/compose-go/v2@v2.16.2';
const KUBERNETES = 'sigs.k8s.io/kubectl-validate@v0.0.4';
const OPERATORS = 'monitoring.coreos.com/v1';
const KUBERNETES_VERSION = '1.30';

const json = (path: string) => JSON.parse(readFileSync(path, 'utf8'));
const problemsOf = (validate: ValidateFunction, value: unknown) =>
  validate(value)
    ? []
    : (validate.errors ?? []).map(
        ({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`,
      );

describe('the Compose specification', () => {
  let validate: ValidateFunction;
  beforeAll(async () => {
    const schema = json(join(await moduleFolder(COMPOSE), 'schema/compose-spec.json'));
    validate = new Ajv2020({ strict: false, allErrors: true, validateFormats: false }).compile(schema);
  }, 150_000);

  it('takes docker-compose.yml', () => {
    expect(problemsOf(validate, composeFile())).toEqual([]);
  });

  it.each([
    ['a name that it does not know', { restrat: 'always' }],
    ['a number where a text belongs', { command: 7 }],
    ['a condition that there is not', { depends_on: { postgres: { condition: 'service_done' } } }],
  ])('would refuse %s', (_, wrong) => {
    const file = composeFile();
    const broken = { ...file, services: { ...file.services, api: { ...file.services.api, ...wrong } } };
    expect(problemsOf(validate, broken)).not.toEqual([]);
  });
});

describe(`Kubernetes ${KUBERNETES_VERSION}`, () => {
  let folder: string;
  const documents = new Map<string, { ajv: Ajv2020; kinds: Map<string, string> }>();
  beforeAll(async () => {
    folder = join(await moduleFolder(KUBERNETES), 'pkg/openapiclient/builtins', KUBERNETES_VERSION);
  }, 150_000);

  /** As the API server with `fieldValidation: Strict`: a field that no schema has is an error. */
  function validatorOf({ apiVersion, kind }: KubernetesObject): ValidateFunction {
    let document = documents.get(apiVersion);
    if (document === undefined) {
      const path = apiVersion.includes('/') ? `apis/${apiVersion}.json` : `api/${apiVersion}.json`;
      const { components } = json(join(folder, path));
      const kinds = new Map<string, string>();
      for (const [name, schema] of Object.entries<Record<string, unknown>>(components.schemas)) {
        if (schema.properties !== undefined && schema.additionalProperties === undefined)
          schema.additionalProperties = false;
        for (const known of (schema['x-kubernetes-group-version-kind'] as { kind: string }[] | undefined) ?? [])
          kinds.set(known.kind, name);
      }
      const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false });
      ajv.addSchema({ $id: 'k8s', components });
      document = { ajv, kinds };
      documents.set(apiVersion, document);
    }
    const name = document.kinds.get(kind);
    if (name === undefined) throw new Error(`${apiVersion} has no ${kind}`);
    return document.ajv.getSchema(`k8s#/components/schemas/${name}`) as ValidateFunction;
  }

  /** An overlay's patch is a part of an object; of what belongs to Prometheus' operator Kubernetes has no schema. */
  const whole = kubernetesObjects().filter(
    ({ file, spec, apiVersion }) =>
      (!/\/(overlays|components)\//.test(file) || spec?.template === undefined) && apiVersion !== OPERATORS,
  );

  it('takes every object', () => {
    expect(whole.length).toBeGreaterThan(15);
    for (const { file, ...object } of whole) {
      expect([file, problemsOf(validatorOf({ file, ...object }), object)]).toEqual([file, []]);
    }
  });

  it.each([
    ['a field that it does not know', { replica: 2 }],
    ['a text where a number belongs', { replicas: 'two' }],
    ['a Deployment without a template', { template: undefined }],
  ])('would refuse %s', (_, wrong) => {
    const { file, ...api } = whole.find(
      ({ metadata, kind }) => kind === 'Deployment' && metadata.name === 'outbox-api',
    ) as KubernetesObject;
    const broken = JSON.parse(JSON.stringify({ ...api, spec: { ...api.spec, ...wrong } }));
    expect(problemsOf(validatorOf({ file, ...api }), broken)).not.toEqual([]);
  });
});
