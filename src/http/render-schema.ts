import { escapeHtml, prose } from './escape-html.js';
import type { JsonSchema } from './openapi/document.js';

/** A JSON Schema as nested lists: what each field is, whether it is required, its limits. Named ones are links. */
export function renderSchema(schema: JsonSchema): string {
  const { properties, items, additionalProperties } = schema as {
    properties?: Readonly<Record<string, JsonSchema>>;
    items?: JsonSchema;
    additionalProperties?: JsonSchema | boolean;
  };
  const required = (schema.required as readonly string[] | undefined) ?? [];
  const note = typeof schema.description === 'string' ? `<p>${prose(schema.description)}</p>` : '';
  const variants = variantsOf(schema);
  if (variants.length > 0 && properties === undefined) {
    if (variants.every(isPlain)) return `<p class="type">${variants.map(describe).join(' or ')}</p>${note}`;
    return `${note}<ul class="variants">${variants.map((variant) => `<li>${renderSchema(variant)}</li>`).join('')}</ul>`;
  }
  const fields = Object.entries(properties ?? {}).map(
    ([name, field]) =>
      `<dt><code>${escapeHtml(name)}</code>${required.includes(name) ? ' <small>required</small>' : ''}</dt><dd>${renderSchema(field)}</dd>`,
  );
  const values = typeof additionalProperties === 'object' && Object.keys(additionalProperties).length > 0;
  return [
    `<p class="type">${describe(schema)}</p>`,
    note,
    fields.length === 0 ? '' : `<dl class="fields">${fields.join('')}</dl>`,
    items === undefined || isPlain(items) ? '' : renderSchema(items),
    values ? `<p class="type">each value: ${describeOrNest(additionalProperties)}</p>` : '',
  ].join('');
}

/** Of `anyOf` and `oneOf`, unless they only say which of the fields must be there. */
function variantsOf(schema: JsonSchema): readonly JsonSchema[] {
  const variants = (schema.anyOf ?? schema.oneOf) as readonly JsonSchema[] | undefined;
  return variants ?? [];
}

function isPlain(schema: JsonSchema): boolean {
  return schema.properties === undefined && schema.items === undefined && variantsOf(schema).length === 0;
}

function describeOrNest(schema: JsonSchema): string {
  const variants = variantsOf(schema);
  return variants.length > 0 && variants.every(isPlain) ? variants.map(describe).join(' or ') : describe(schema);
}

function describe(schema: JsonSchema): string {
  if (typeof schema.$ref === 'string') {
    const name = escapeHtml(schema.$ref.split('/').at(-1) ?? '');
    return `<a href="#schema-${name}">${name}</a>`;
  }
  if ('const' in schema) return code(JSON.stringify(schema.const));
  if (Array.isArray(schema.enum)) {
    return [schema.enum.map((value) => code(JSON.stringify(value))).join(' | '), ...defaultOf(schema)].join(', ');
  }
  const type = typeof schema.type === 'string' ? schema.type : 'any JSON value';
  const items = schema.items as JsonSchema | undefined;
  const of = items !== undefined && isPlain(items) ? ` of ${describe(items)}` : '';
  return [escapeHtml(type) + of, ...limitsOf(schema)].join(', ');
}

function limitsOf(schema: JsonSchema): string[] {
  const { format, pattern, minLength, maxLength, minimum, maximum, minItems, maxItems, maxProperties } = schema;
  // With a format the pattern says the same again, at length.
  const shape = typeof format === 'string' ? [escapeHtml(format)] : typeof pattern === 'string' ? [code(pattern)] : [];
  return [
    ...shape,
    ...range(minLength, maxLength, 'characters'),
    ...range(unbounded(minimum), unbounded(maximum), ''),
    ...range(minItems, maxItems, 'items'),
    ...range(undefined, maxProperties, 'keys'),
    ...defaultOf(schema),
  ];
}

function defaultOf(schema: JsonSchema): string[] {
  return 'default' in schema ? [`default ${code(JSON.stringify(schema.default))}`] : [];
}

/** zod writes the bounds of a safe integer where a schema has none of its own. */
function unbounded(value: unknown): unknown {
  return typeof value === 'number' && Math.abs(value) === Number.MAX_SAFE_INTEGER ? undefined : value;
}

function range(least: unknown, most: unknown, unit: string): string[] {
  if (least === undefined && most === undefined) return [];
  const words =
    least === undefined ? `at most ${most}` : most === undefined ? `at least ${least}` : `${least} to ${most}`;
  return [escapeHtml(`${words} ${unit}`.trim())];
}

function code(text: string): string {
  return `<code>${escapeHtml(text)}</code>`;
}
