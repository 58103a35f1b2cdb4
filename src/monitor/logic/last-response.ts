import { setOutJson, showJson } from './json-text.js';

/** What a destination answered, as a view shows it. */
export interface ShownResponse {
  readonly status: number | null;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Set out where it is JSON; null: there was none. */
  readonly body: string | null;
}

/** Of what a letter keeps of it, which is of no one form: a handler may have made it. null: there was none. */
export function readResponse(response: unknown): ShownResponse | null {
  if (typeof response !== 'object' || response === null) return null;
  const { status, headers, body, ...others } = response as Readonly<Record<string, unknown>>;
  const more = Object.keys(others).length === 0 ? [] : [['(more)', JSON.stringify(others)] as const];
  return {
    status: typeof status === 'number' ? status : null,
    headers: [...entriesOf(headers), ...more],
    body: bodyOf(body),
  };
}

function entriesOf(headers: unknown): readonly (readonly [string, string])[] {
  if (typeof headers !== 'object' || headers === null) return [];
  return Object.entries(headers).map(([name, value]) => [name, typeof value === 'string' ? value : showJson(value)]);
}

function bodyOf(body: unknown): string | null {
  if (body === undefined || body === null) return null;
  return typeof body === 'string' ? setOutJson(body) : showJson(body);
}
