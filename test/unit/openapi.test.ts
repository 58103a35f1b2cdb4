/** Real: the router of the api and the OpenAPI document. Nothing is served here: what is answered is the integration tests'. */

import { PROBLEMS } from '../../src/contract/audit-api.js';
import { AUDIT_LIMITS, auditEventSchema } from '../../src/contract/audit-dto.js';
import { readCloudEvent } from '../../src/contract/cloud-event.js';
import type { JsonObject } from '../../src/contract/json-value.js';
import { type AuditAppDeps, buildAuditApp } from '../../src/http/create-audit-app.js';
import { DEFAULT_HTTP_LIMITS } from '../../src/http/http-limits.js';
import { buildDocument, type OpenApiDocument } from '../../src/http/openapi/document.js';
import { named, type Operation } from '../../src/http/openapi/operation.js';
import { describeApi } from '../../src/http/openapi/operations.js';
import { renderReference } from '../../src/http/render-reference.js';

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** Nothing of it is used while the router is made. */
const monitor = { session: {}, stream: {}, files: {} };

/** `GET /path` of every route, as the document writes it; those of the page's files are no routes. */
function routesOf(ops: boolean): string[] {
  const deps = {
    routes: {},
    ping: async () => {},
    limits: DEFAULT_HTTP_LIMITS,
    logger: silent,
    ...(ops ? { ops: {}, monitor } : {}),
  };
  return buildAuditApp(deps as unknown as AuditAppDeps)
    .router.stack.flatMap(({ route }) =>
      (route?.stack ?? []).flatMap(({ method }) =>
        // Without a method: what answers 405.
        method === undefined ? [] : [`${method.toUpperCase()} ${route?.path.replaceAll(/:(\w+)/g, '{$1}')}`],
      ),
    )
    .sort();
}

function operationsOf(document: OpenApiDocument): string[] {
  return Object.entries(document.paths)
    .flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`))
    .sort();
}

describe.each([true, false])('the OpenAPI document, operations API and monitor: %s', (ops) => {
  const document = describeApi({ ops, monitor: ops });
  const operations = Object.values(document.paths).flatMap((methods) => Object.values(methods));

  it('has the routes of the router and no others', () => {
    expect(routesOf(ops).length).toBeGreaterThan(5);
    expect(operationsOf(document)).toEqual(routesOf(ops));
  });

  it('has every path parameter that its path names, and an id of its own for each operation', () => {
    for (const [path, methods] of Object.entries(document.paths)) {
      for (const { parameters } of Object.values(methods)) {
        const names = parameters.filter((parameter) => parameter.in === 'path').map(({ name }) => `{${name}}`);
        expect([path, names]).toEqual([path, path.match(/\{\w+\}/g) ?? []]);
      }
    }
    const ids = operations.map(({ operationId }) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('refers to nothing that is not there', () => {
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)];
    const missing = references.filter(([, name]) => document.components.schemas[name as string] === undefined);
    expect([references.length > 0, missing]).toEqual([true, []]);
  });

  it('asks for a key wherever it names a scope, and says which', () => {
    const open = operations.filter(({ security }) => security.length === 0).map(({ operationId }) => operationId);
    const signIn = ops ? ['signIn'] : [];
    expect(open).toEqual(['getLive', 'getReady', 'getOpenApi', 'getReferencePage', ...signIn]);
  });

  it('takes a session of the monitor for a key, wherever the monitor is', () => {
    for (const { operationId, security } of operations) {
      const byKey = security.some((one) => 'apiKey' in one);
      const ofPage = ['getSession', 'signOut', 'getStream'].includes(operationId);
      const bySession = security.some((one) => 'session' in one);
      expect([operationId, bySession]).toEqual([operationId, ops && (byKey || ofPage)]);
    }
    expect('session' in document.components.securitySchemes).toBe(ops);
  });

  it('says 429 and when to come again of every operation with a key, and what is left of its rate on every answer', () => {
    for (const { operationId, security, responses } of operations) {
      const limited = security.some((one) => 'apiKey' in one);
      const retryAfter = responses['429']?.headers['Retry-After'];
      if (limited) expect([operationId, retryAfter?.required]).toEqual([operationId, true]);
      for (const { headers } of Object.values(responses)) {
        expect([operationId, 'RateLimit' in headers, 'RateLimit-Policy' in headers]).toEqual([
          operationId,
          limited,
          limited,
        ]);
      }
    }
  });
});

describe('the OpenAPI document', () => {
  const document = describeApi({ ops: true, monitor: true });

  it('has every problem code, under its status', () => {
    const seen = new Set<string>();
    const all = Object.values(document.paths).flatMap((methods) => Object.values(methods));
    const responses = [...all.map((one) => one.responses), document.components.responses];
    for (const response of responses.flatMap((some) => Object.values(some))) {
      const schema = response.content?.['application/problem+json']?.schema as
        | { allOf: [object, { properties: { status: { const: number }; code: { enum: (keyof typeof PROBLEMS)[] } } }] }
        | undefined;
      const { status, code } = schema?.allOf[1].properties ?? { status: null, code: { enum: [] } };
      for (const one of code.enum) {
        seen.add(one);
        expect([one, PROBLEMS[one].status]).toEqual([one, status?.const]);
      }
    }
    expect([...seen].sort()).toEqual(Object.keys(PROBLEMS).sort());
  });

  it('says of an event what the schema says, and what it asks for beyond', () => {
    const event = document.components.schemas.AuditEvent as unknown as {
      required: string[];
      additionalProperties: boolean;
      properties: Record<string, { maxLength?: number; maxProperties?: number; format?: string }>;
    };
    const optional = Object.entries(auditEventSchema.shape).filter(([, field]) => field.safeParse(undefined).success);
    const fields = Object.keys(auditEventSchema.shape);
    expect(event.required).toEqual(fields.filter((field) => !optional.some(([name]) => name === field)));
    expect(event.additionalProperties).toBe(false);
    expect(event.properties.eventId?.maxLength).toBe(AUDIT_LIMITS.eventId);
    expect(event.properties.metadata?.maxProperties).toBe(AUDIT_LIMITS.metadataKeys);
    expect(event.properties.occurredAt?.format).toBe('date-time');
  });

  it('has examples that fit, in each of the media types', () => {
    const content = document.paths['/integration/v1/audit/logs']?.post?.requestBody?.content ?? {};
    const examples = Object.values(content).flatMap((type) =>
      Object.values(type.examples ?? {}).map(({ value }) => value),
    );
    const attributes = { specversion: '1.0', id: 'i', source: '/s', type: 't' };
    const fits = (value: unknown) =>
      auditEventSchema.safeParse(value).success ||
      [value as JsonObject, { ...attributes, data: value as JsonObject }].some(
        (one) => readCloudEvent(one, new Date()).ok,
      );
    expect(Object.keys(content)).toEqual([
      'application/json',
      'application/*+json',
      'application/cloudevents+json',
      'application/cloudevents-batch+json',
    ]);
    expect(examples.flat().map(fits)).toEqual([true, true, true, true, true, true]);
  });

  it('has the attributes of a CloudEvent in binary mode as headers, and no body where it has no data', () => {
    const { parameters = [], requestBody } = document.paths['/integration/v1/audit/logs']?.post ?? {};
    const headers = parameters.filter(({ name, in: place }) => place === 'header' && name.startsWith('ce-'));
    const event = document.components.schemas.CloudEvent as unknown as { required: string[]; properties: object };
    const inBody = ['data', 'data_base64', 'datacontenttype'];
    const attributes = Object.keys(event.properties).filter((name) => !inBody.includes(name));
    expect(attributes.length).toBeGreaterThan(8);
    expect(headers.map(({ name }) => name)).toEqual(attributes.map((name) => `ce-${name}`));
    // Of the other two modes no header is asked for; of this one a few.
    expect(headers.filter(({ required }) => required)).toEqual([]);
    const needed = headers.filter(({ description }) => description?.endsWith('Required there.'));
    expect(needed.map(({ name }) => name)).toEqual(event.required.map((name) => `ce-${name}`));
    expect(requestBody?.required).toBe(false);
    const others = Object.values(document.paths).flatMap((methods) => Object.values(methods));
    expect(others.filter((one) => one.requestBody?.required === false)).toHaveLength(1);
    for (const type of ['application/json', 'application/*+json']) {
      expect(JSON.stringify(requestBody?.content[type]?.schema)).toContain('#/components/schemas/CloudEventData');
    }
  });

  it('does not take two schemas under one name', () => {
    const row = (schema: Operation['answers'][0]['schema'], path: string): Operation => ({
      id: path,
      method: 'get',
      path,
      area: 'probes',
      summary: 's',
      answers: [{ status: 200, description: 'd', ...(schema === undefined ? {} : { schema }) }],
    });
    const rows = [row(named('A', auditEventSchema), '/a'), row(named('A', auditEventSchema.partial()), '/b')];
    expect(() => buildDocument(rows, '1')).toThrow('two schemas have the name A');
  });
});

describe('the reference page', () => {
  const EVIL = `</style><script>alert("1")</script>'&`;

  it('escapes every text of the document', () => {
    const hostile = JSON.parse(
      JSON.stringify(describeApi({ ops: true, monitor: true })).replaceAll(
        /"(summary|description|title|version|pattern)":"(?:[^"\\]|\\.)*"/g,
        (_, key) => `"${key}":${JSON.stringify(EVIL)}`,
      ),
    ) as OpenApiDocument;
    const renamed = { ...hostile, paths: { [`/${EVIL}`]: { get: Object.values(hostile.paths)[0]?.post } } };
    for (const document of [hostile, renamed as unknown as OpenApiDocument]) {
      const page = renderReference(document);
      expect(page).not.toMatch(/<script|alert\("/);
      expect(page.match(/<\/style>/g)).toHaveLength(1);
      expect(page).toContain('&lt;/style&gt;&lt;script&gt;');
    }
  });

  it('names every operation, every problem code and every schema', () => {
    const document = describeApi({ ops: true, monitor: true });
    const page = renderReference(document);
    for (const code of Object.keys(PROBLEMS)) expect(page).toContain(`<code>${code}</code>`);
    for (const name of Object.keys(document.components.schemas)) expect(page).toContain(`id="schema-${name}"`);
    for (const methods of Object.values(document.paths)) {
      for (const { operationId } of Object.values(methods)) expect(page).toContain(`<article id="${operationId}">`);
    }
  });

  it('links to nothing that is not on it, and has no script, no style attribute and no outside address', () => {
    const page = renderReference(describeApi({ ops: true, monitor: true }));
    const ids = new Set([...page.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id));
    const links = [...page.matchAll(/ href="([^"]+)"/g)].map(([, href]) => href as string);
    expect(links.filter((href) => href !== '/openapi.json' && !ids.has(href.slice(1)))).toEqual([]);
    expect(page).not.toMatch(/<script|<link|<img|\sstyle=|\son\w+=|https?:/);
  });
});
