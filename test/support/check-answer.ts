/** Holds an answer of a server against its OpenAPI document: whatever is not written there is an error. */
import type { ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import type { JsonSchema, OpenApiDocument, ResponseObject } from '../../src/http/openapi/document.js';

export interface SeenAnswer {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** Those of HTTP itself, and helmet's. */
const UNWRITTEN_HEADERS =
  /^(connection|keep-alive|date|content-(length|type)|transfer-encoding|content-security-policy|strict-transport-security|referrer-policy|origin-agent-cluster|cross-origin-.*|x-(content-type-options|dns-prefetch-control|download-options|frame-options|permitted-cross-domain-policies|xss-protection))$/;

/** Throws an Error that names the operation and what of the answer is not documented. */
export function createAnswerCheck(document: OpenApiDocument): (answer: SeenAnswer) => void {
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  formats.default(ajv);
  ajv.addSchema({ $id: 'openapi', components: { schemas: close(document.components.schemas) } });
  const compiled = new WeakMap<object, ValidateFunction>();
  const errorsOf = (schema: object, value: unknown): string | null => {
    let validate = compiled.get(schema);
    if (validate === undefined) {
      validate = ajv.compile(rebase(schema) as object);
      compiled.set(schema, validate);
    }
    return validate(value) ? null : ajv.errorsText(validate.errors);
  };

  return (answer) => {
    const refuse = (why: string): never => {
      const { method, path, status, text } = answer;
      throw new Error(`not as documented: ${method} ${path} -> ${status}: ${why}\n${text.slice(0, 500)}`);
    };
    const candidates = responsesFor(document, answer);
    if (candidates.length === 0) refuse('no such response');
    const problems = candidates.map((response) => problemOf(response, answer, errorsOf));
    if (!problems.includes(null)) refuse(problems.join('; or '));
  };
}

function responsesFor(document: OpenApiDocument, { method, path, status }: SeenAnswer): ResponseObject[] {
  const plain = path.split('?')[0] as string;
  const templates = Object.keys(document.paths).filter((one) => one === plain || toPattern(one).test(plain));
  const template = templates.find((one) => one === plain) ?? templates[0];
  const verb = method === 'HEAD' ? 'get' : method.toLowerCase();
  const operation = template === undefined ? undefined : document.paths[template]?.[verb];
  if (operation === undefined) return Object.values(document.components.responses);
  const response = operation.responses[status];
  return response === undefined ? [] : [response];
}

function toPattern(template: string): RegExp {
  return new RegExp(`^${template.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}$`);
}

function problemOf(
  response: ResponseObject,
  { method, headers, text }: SeenAnswer,
  errorsOf: (schema: object, value: unknown) => string | null,
): string | null {
  for (const [name, { required, schema }] of Object.entries(response.headers)) {
    const value = headers.get(name);
    const wrong = value === null ? (required ? 'is missing' : null) : errorsOf(schema, value);
    if (wrong !== null) return `the header ${name} ${wrong}`;
  }
  const written = new Set(Object.keys(response.headers).map((name) => name.toLowerCase()));
  const unwritten = [...headers.keys()].find((name) => !written.has(name) && !UNWRITTEN_HEADERS.test(name));
  if (unwritten !== undefined) return `the header ${unwritten} is not written`;
  if (response.content === undefined) return text === '' ? null : 'expected no body';
  const type = headers.get('content-type')?.split(';')[0] ?? '';
  const content = response.content[type];
  if (content === undefined) return `the media type "${type}" is not written`;
  if (method === 'HEAD') return text === '' ? null : 'expected no body of HEAD';
  return errorsOf(content.schema, /[/+]json$/.test(type) ? JSON.parse(text) : text);
}

/** What a reader ignores, a test does not: an object with properties has no others. */
function close(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(close);
  if (typeof schema !== 'object' || schema === null) return schema;
  const closed = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, close(value)]));
  const isOpen =
    'properties' in schema && (schema as JsonSchema).type === 'object' && !('additionalProperties' in schema);
  return isOpen ? { ...closed, additionalProperties: false } : closed;
}

function rebase(schema: unknown): unknown {
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/components/', '"openapi#/components/'));
}
