/**
 * JSON as text. A number that a double would round stays as it was written, so nothing here is parsed for being shown.
 */

/** Set out over lines, two blanks a level. What is no JSON comes back as it is. */
export function setOutJson(text: string): string {
  if (!isJson(text)) return text;
  const out: string[] = [];
  let depth = 0;
  let before = '';
  // Strings whole, then one sign or one word at a time; blanks between them say nothing.
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g)) {
    const closes = token === '}' || token === ']';
    const opened = before === '{' || before === '[';
    if (closes) depth -= 1;
    // An empty one stays on its line.
    if (before === ',' || opened !== closes) out.push(lineOf(depth));
    out.push(token === ':' ? ': ' : token);
    if (token === '{' || token === '[') depth += 1;
    before = token;
  }
  return out.join('');
}

/** Why a text is no payload, in a sentence; null: it is one. */
export function whyNoPayload(text: string): string | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    // The browser's own words say where.
    return `Expected JSON: ${error instanceof Error ? error.message : String(error)}`;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'Expected a JSON object: {…}';
  return null;
}

/**
 * The body that edits a payload, with `payload` as it was written. It must be one: what `whyNoPayload` refuses could
 * end the field and begin another one.
 */
export function editBody(payload: string, more: EditWord): string {
  const { reason, revisions, dryRun } = more;
  return `{"payload":${payload},"reason":${JSON.stringify(reason)},"revisions":${revisions},"dryRun":${dryRun}}`;
}

export interface EditWord {
  readonly reason: string;
  /** How often it had been edited when this text was read: with another number it is refused. */
  readonly revisions: number;
  readonly dryRun: boolean;
}

/** A value for people: what is absent is said to be, text is quoted. */
export function showJson(value: unknown): string {
  return value === undefined ? 'absent' : JSON.stringify(value, null, 2);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    // Only whether it is: whoever wants to know why asks `whyNoPayload`.
    return false;
  }
}

function lineOf(depth: number): string {
  return `\n${'  '.repeat(depth)}`;
}
