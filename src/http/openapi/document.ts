import { STATUS_CODES } from 'node:http';
import { z } from 'zod';
import { PROBLEM_MEDIA_TYPE, PROBLEMS, type ProblemCode, problemSchema } from '../../contract/audit-api.js';
import { CSRF_HEADER } from '../../contract/monitor-api.js';
import { type Asking, headersOfAnswer, headersOfProblems } from './headers.js';
import { type Answer, AREAS, type Named, named, type Operation } from './operation.js';
import { OF_NO_OPERATION, problemsOf } from './problems.js';

/** As much of OpenAPI 3.1 as this document has: what the reference page and the tests read. */
export interface OpenApiDocument {
  readonly openapi: '3.1.1';
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly tags: readonly { readonly name: string; readonly description: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, OperationObject>>>>;
  readonly components: {
    readonly securitySchemes: Readonly<Record<string, object>>;
    readonly schemas: Readonly<Record<string, JsonSchema>>;
    readonly responses: Readonly<Record<string, ResponseObject>>;
  };
}
export type JsonSchema = Readonly<Record<string, unknown>>;
export interface ParameterObject {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required: boolean;
  readonly description?: string;
  readonly schema: JsonSchema;
}
export interface MediaTypeObject {
  readonly schema: JsonSchema;
  readonly example?: unknown;
  readonly examples?: Readonly<Record<string, { readonly value: unknown }>>;
}
export interface ResponseObject {
  readonly description: string;
  readonly headers: Readonly<Record<string, { description: string; required: boolean; schema: object }>>;
  readonly content?: Readonly<Record<string, MediaTypeObject>>;
}
export interface OperationObject {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly summary: string;
  readonly description?: string;
  readonly security: readonly Readonly<Record<string, readonly string[]>>[];
  readonly parameters: readonly ParameterObject[];
  readonly requestBody?: { readonly required: boolean; readonly content: Readonly<Record<string, MediaTypeObject>> };
  readonly responses: Readonly<Record<string, ResponseObject>>;
}

const PROBLEM = named('Problem', problemSchema);

const ABOUT = `Every request is answered: with what it asked for, or with a problem of RFC 9457 whose \`code\` is stable and whose
\`retryable\` says whether the same request may succeed later. Every path that answers GET answers HEAD, too; any other
method is answered 405, any other path 404. Helmet's protective headers are on every answer.`;

const ABOUT_KEYS = `An API key of \`outbox keys create\`. The scope \`admin\` stands for every scope but the any-tenant ones. A key that was
made with a signing secret takes signed requests only: \`webhook-id\`, \`webhook-timestamp\` and \`webhook-signature\` of Standard
Webhooks.`;

const ABOUT_SESSIONS = `The cookie of whoever is signed in to the monitor, as a browser sends it to the page's own server. It stands in for a
key wherever one is asked for, but writes no records. Any other method than GET and HEAD also needs the page's \`Origin\` and
the session's token in \`${CSRF_HEADER}\`. Over https its name is \`__Host-outbox\`.`;

const BY_NOBODY: Asking = { byKey: false, bySession: false };

/**
 * The OpenAPI 3.1 document of these operations. JSON Schemas are those of the zod schemas that the server checks by.
 * `sessions`: the monitor is served, whose sessions may ask wherever a key may.
 */
export function buildDocument(
  operations: readonly Operation[],
  version: string,
  { sessions = false }: { readonly sessions?: boolean } = {},
): OpenApiDocument {
  const paths: Record<string, Record<string, OperationObject>> = {};
  for (const operation of operations) {
    paths[operation.path] ??= {};
    Object.assign(paths[operation.path] as object, { [operation.method]: toOperation(operation, sessions) });
  }
  const used = new Set(operations.map(({ area }) => area));
  return {
    openapi: '3.1.1',
    info: { title: 'temporal-outbox', version, description: ABOUT.replaceAll('\n', ' ') },
    tags: Object.entries(AREAS).flatMap(([name, description]) =>
      used.has(name as Operation['area']) ? [{ name, description }] : [],
    ),
    paths,
    components: {
      securitySchemes: {
        apiKey: { type: 'http', scheme: 'bearer', description: ABOUT_KEYS.replaceAll('\n', ' ') },
        ...(sessions
          ? {
              session: {
                type: 'apiKey',
                in: 'cookie',
                name: 'outbox_monitor',
                description: ABOUT_SESSIONS.replaceAll('\n', ' '),
              },
            }
          : {}),
      },
      schemas: toSchemas([PROBLEM, ...operations.flatMap(schemasOf)]),
      responses: Object.fromEntries(OF_NO_OPERATION.map((code) => [code, toProblemResponse([code], BY_NOBODY)])),
    },
  };
}

function toOperation(operation: Operation, sessions: boolean): OperationObject {
  const { id, area, summary, description, scopes = [], body, bodyMayBeLeftOut = false } = operation;
  const asking = askingOf(operation, sessions);
  const needs = scopes.length === 0 ? null : `Needs the scope ${scopes.map((scope) => `\`${scope}\``).join(' or ')}.`;
  const text = [description, needs].filter((part) => typeof part === 'string').join(' ');
  return {
    operationId: id,
    tags: [area],
    summary,
    ...(text === '' ? {} : { description: text }),
    // Scopes stand with `http` schemes for information (OpenAPI 3.1.1, section 4.8.30).
    security: [...scopes.map((scope) => ({ apiKey: [scope] })), ...(asking.bySession ? [{ session: [] }] : [])],
    parameters: toParameters(operation),
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            required: !bodyMayBeLeftOut,
            content: Object.fromEntries(
              Object.entries(body).map(([type, { schema, examples }]) => [
                type,
                { schema: refTo(schema), examples: toExamples(examples) },
              ]),
            ),
          },
        }),
    responses: toResponses(operation, asking, sessions),
  };
}

function askingOf({ scopes, session }: Operation, sessions: boolean): Asking {
  return { byKey: scopes !== undefined, bySession: sessions && (scopes !== undefined || session === true) };
}

function toParameters({ parameters = [], query, headers = [] }: Operation): ParameterObject[] {
  const asked = query === undefined ? {} : (inline(query).properties as Record<string, JsonSchema>);
  const required = query === undefined ? [] : ((inline(query).required as string[] | undefined) ?? []);
  return [
    ...parameters.map(({ name, description, schema, example }) => ({
      name,
      in: 'path' as const,
      required: true,
      description,
      schema: { ...inline(schema), examples: [example] },
    })),
    ...Object.entries(asked).map(([name, { description, ...schema }]) => ({
      name,
      in: 'query' as const,
      required: required.includes(name),
      ...(typeof description === 'string' ? { description } : {}),
      schema: inUrl(schema),
    })),
    ...headers.map(({ name, description }) => ({
      name,
      in: 'header' as const,
      required: false,
      description,
      schema: { type: 'string' },
    })),
  ];
}

/** No URL may hold control characters, whatever the schema of a query says. */
function inUrl(schema: JsonSchema): JsonSchema {
  const free = schema.type === 'string' && !['pattern', 'format', 'enum', 'allOf'].some((keyword) => keyword in schema);
  return free ? { ...schema, pattern: '^[^\\u0000-\\u001f\\u007f]*$' } : schema;
}

function toResponses(operation: Operation, asking: Asking, sessions: boolean): Record<string, ResponseObject> {
  const responses = Object.fromEntries(
    operation.answers.map((answer) => [String(answer.status), toResponse(answer, asking)] as const),
  );
  for (const [status, codes] of problemsOf(operation, sessions)) {
    const problem = toProblemResponse(codes, asking);
    const answer = responses[status];
    // A status may be an answer and a problem, by its media type.
    responses[status] =
      answer === undefined
        ? problem
        : {
            description: `${answer.description} ${problem.description}`,
            headers: { ...problem.headers, ...answer.headers },
            content: { ...answer.content, ...problem.content },
          };
  }
  return responses;
}

function toResponse(answer: Answer, asking: Asking): ResponseObject {
  const { description, schema, mediaType = 'application/json', headers = [], example } = answer;
  const content =
    schema === undefined && mediaType === 'application/json'
      ? null
      : {
          schema: schema === undefined ? { type: 'string' } : refTo(schema),
          ...(example === undefined ? {} : { example }),
        };
  return {
    description,
    headers: headersOfAnswer(headers, asking),
    ...(content === null ? {} : { content: Object.fromEntries([mediaType].flat().map((type) => [type, content])) }),
  };
}

function toProblemResponse(codes: readonly ProblemCode[], asking: Asking): ResponseObject {
  const [first] = codes as [ProblemCode];
  const { status } = PROBLEMS[first];
  const words = codes.map((code) => `\`${code}\`${PROBLEMS[code].retryable ? ' (retryable)' : ''}`);
  return {
    description: `${STATUS_CODES[status] ?? 'Problem'}: ${words.join(', ')}.`,
    headers: headersOfProblems(codes, asking),
    content: {
      [PROBLEM_MEDIA_TYPE]: {
        schema: {
          allOf: [refTo(PROBLEM), { properties: { status: { const: status }, code: { enum: [...codes] } } }],
        },
      },
    },
  };
}

function toExamples(examples: Readonly<Record<string, unknown>>): Record<string, { value: unknown }> {
  return Object.fromEntries(Object.entries(examples).map(([name, value]) => [name, { value }]));
}

function schemasOf({ body = {}, answers }: Operation): Named[] {
  return [...Object.values(body), ...answers].flatMap(({ schema }) => (schema === undefined ? [] : [schema].flat()));
}

function refTo(schema: Named | readonly Named[]): JsonSchema {
  const [first, ...more] = [schema].flat().map(({ name }) => ({ $ref: pointerTo(name) }));
  return more.length === 0 ? (first as JsonSchema) : { anyOf: [first, ...more] };
}

function pointerTo(name: string): string {
  return `#/components/schemas/${name}`;
}

// What the wire has on the way in; an answer has no transform and no default, so it is the same both ways.
const OPTIONS = { target: 'draft-2020-12', io: 'input', unrepresentable: 'any' } as const;

function toSchemas(all: readonly Named[]): Record<string, JsonSchema> {
  const registry = z.registry<{ id: string }>();
  const byName = new Map<string, z.ZodType>();
  for (const { name, schema } of all) {
    if ((byName.get(name) ?? schema) !== schema) throw new Error(`two schemas have the name ${name}`);
    byName.set(name, schema);
  }
  for (const [id, schema] of byName) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, { ...OPTIONS, uri: pointerTo });
  return Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, withoutIdentity(schema)]));
}

function inline(schema: z.ZodType): JsonSchema {
  return withoutIdentity(z.toJSONSchema(schema, OPTIONS));
}

/** Inside of an OpenAPI document a schema is known by its place. */
function withoutIdentity({ $schema: _, $id: __, ...schema }: Record<string, unknown>): JsonSchema {
  return schema;
}
