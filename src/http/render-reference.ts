import { AUDIT_LIMITS } from '../contract/audit-dto.js';
import { escapeHtml, prose } from './escape-html.js';
import type { OpenApiDocument, OperationObject, ParameterObject, ResponseObject } from './openapi/document.js';
import { REFERENCE_STYLE } from './reference-style.js';
import { renderSchema } from './render-schema.js';

/**
 * The reference page: the whole document as HTML, without a script. Every text of the document is escaped; of Markdown it
 * knows words in backticks.
 */
export function renderReference(document: OpenApiDocument): string {
  const operations = operationsOf(document);
  const areas = document.tags.map((tag) => ({ ...tag, rows: operations.filter(({ area }) => area === tag.name) }));
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(document.info.title)}: HTTP reference</title>
<style>${REFERENCE_STYLE}</style>
</head>
<body>
<nav aria-label="Contents">
<p class="brand">${escapeHtml(document.info.title)} <span>${escapeHtml(document.info.version)}</span></p>
${areas.map(({ name, rows }) => `<p>${link(idOf(name), name)}</p><ul>${rows.map(renderNavItem).join('')}</ul>`).join('\n')}
<p>${link('schemas', 'schemas')}</p>
</nav>
<main>
<h1>HTTP reference</h1>
<p>${prose(document.info.description)}</p>
<p>As a machine reads it: <a href="/openapi.json">openapi.json</a> (OpenAPI ${escapeHtml(document.openapi)}). One event has at most
${kibibytes(AUDIT_LIMITS.eventBytes)}, a batch ${AUDIT_LIMITS.batchItems} events and ${kibibytes(AUDIT_LIMITS.batchBytes)}.</p>
${areas.map((area) => `<section id="${idOf(area.name)}"><h2>${escapeHtml(area.name)}</h2><p>${prose(area.description)}</p>${area.rows.map(renderOperation).join('\n')}</section>`).join('\n')}
<section id="schemas"><h2>schemas</h2>
${Object.entries(document.components.schemas)
  .map(
    ([name, schema]) =>
      `<article id="schema-${escapeHtml(name)}"><h3 class="schema-name">${escapeHtml(name)}</h3>${renderSchema(schema)}</article>`,
  )
  .join('\n')}
</section>
<section id="other-answers"><h2>answers of no operation</h2>
<p>Another path, another method on a path, or a request that comes to no path.</p>
${renderResponses(Object.values(document.components.responses).map((response) => ['', response] as const))}
</section>
</main>
</body>
</html>
`;
}

interface Row {
  readonly method: string;
  readonly path: string;
  readonly area: string;
  readonly operation: OperationObject;
}

function operationsOf({ paths }: OpenApiDocument): Row[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      method: method.toUpperCase(),
      path,
      area: operation.tags[0] ?? '',
      operation,
    })),
  );
}

function renderNavItem({ method, operation }: Row): string {
  const words = `<small>${escapeHtml(method)}</small> <span>${escapeHtml(operation.summary)}</span>`;
  return `<li><a href="#${escapeHtml(operation.operationId)}">${words}</a></li>`;
}

function renderOperation({ method, path, operation }: Row): string {
  const { operationId, summary, description, parameters, requestBody, responses } = operation;
  return `<article id="${escapeHtml(operationId)}">
<h3>${escapeHtml(summary)}</h3>
<p class="route"><b>${escapeHtml(method)}</b> <code>${breakable(path)}</code></p>
${description === undefined ? '' : `<p>${prose(description)}</p>`}
${parameters.length === 0 ? '' : `<h4>Parameters</h4><dl>${parameters.map(renderParameter).join('')}</dl>`}
${requestBody === undefined ? '' : `<h4>Body</h4>${Object.entries(requestBody.content).map(renderBody).join('')}`}
<h4>Answers</h4>
${renderResponses(Object.entries(responses))}
</article>`;
}

function renderParameter({ name, in: place, required, description, schema }: ParameterObject): string {
  return `<dt><code>${escapeHtml(name)}</code> <small>${escapeHtml(place)}${required ? ', required' : ''}</small></dt>
<dd>${description === undefined ? '' : `<p>${prose(description)}</p>`}${renderSchema(schema)}</dd>`;
}

type Content = NonNullable<OperationObject['requestBody']>['content'][string];

function renderBody([type, { schema, examples = {} }]: [string, Content]): string {
  const shown = Object.entries(examples).map(
    ([name, { value }]) =>
      `<details><summary>Example: ${escapeHtml(name)}</summary><pre tabindex="0">${escapeHtml(JSON.stringify(value, null, 2))}</pre></details>`,
  );
  return `<div class="body"><p><code>${escapeHtml(type)}</code></p>${renderSchema(schema)}${shown.join('')}</div>`;
}

function renderResponses(responses: readonly (readonly [string, ResponseObject])[]): string {
  const rows = responses.map(([status, { description, headers, content = {} }]) => {
    const own = Object.keys(headers).filter((name) => name !== 'X-Request-Id' && name !== 'Cache-Control');
    const bodies = Object.entries(content)
      // What a problem holds is the same everywhere; its codes stand in the description.
      .filter(([type]) => type !== 'application/problem+json')
      .map(
        ([type, { schema }]) =>
          `<div class="body"><p><code>${escapeHtml(type)}</code></p>${renderSchema(schema)}</div>`,
      );
    const names =
      own.length === 0
        ? ''
        : `<p><small>Headers: ${own.map((name) => `<code>${escapeHtml(name)}</code>`).join(', ')}</small></p>`;
    return `<dt>${status === '' ? '' : `<b class="status s${escapeHtml(status.slice(0, 1))}">${escapeHtml(status)}</b>`}</dt><dd><p>${prose(description)}</p>${names}${bodies.join('')}</dd>`;
  });
  return `<dl class="answers">${rows.join('')}</dl>`;
}

/** A long path may be broken before each of its slashes. */
function breakable(path: string): string {
  return escapeHtml(path).replaceAll('/', '<wbr>/');
}

function idOf(name: string): string {
  return `area-${escapeHtml(name).replaceAll(' ', '-')}`;
}

function link(id: string, text: string): string {
  return `<a href="#${escapeHtml(id)}">${escapeHtml(text)}</a>`;
}

function kibibytes(bytes: number): string {
  return bytes >= 1024 * 1024 ? `${bytes / 1024 / 1024} MiB` : `${bytes / 1024} KiB`;
}
