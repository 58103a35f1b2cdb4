/** docker-compose.yml as an engine reads it: merged, with its variables put in (compose specification, "Interpolation"). */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

export interface ComposeService {
  readonly image: string;
  readonly build?: { readonly context: string; readonly args: Readonly<Record<string, string>> };
  readonly profiles?: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly env_file?: readonly { readonly path: string; readonly required: boolean }[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>> | readonly string[];
  readonly restart?: string;
  readonly stop_grace_period?: string;
  readonly healthcheck?: { readonly test?: readonly string[]; readonly disable?: boolean };
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly deploy?: {
    readonly replicas?: number;
    readonly resources: { readonly limits: { readonly cpus: string; readonly memory: string } };
  };
}

export interface ComposeFile {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly networks: Readonly<Record<string, object>>;
  readonly volumes: Readonly<Record<string, object>>;
}

const FILE = 'docker-compose.yml';

/** As it is written, variables and all. */
export function composeFile(): ComposeFile {
  return parse(readFileSync(FILE, 'utf8'), { merge: true }) as ComposeFile;
}

/** @throws Error for a variable that the file says is needed */
export function composeFileWith(variables: Readonly<Record<string, string>>): ComposeFile {
  return interpolated(composeFile(), variables) as ComposeFile;
}

function interpolated(value: unknown, variables: Readonly<Record<string, string>>): unknown {
  if (typeof value === 'string') return interpolate(value, variables);
  if (Array.isArray(value)) return value.map((item) => interpolated(item, variables));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, interpolated(item, variables)]));
}

const VARIABLE = /\$(?:\$|\{(?<name>\w+)(?:(?<how>:[-?])(?<rest>[^}]*))?\})/g;

function interpolate(text: string, variables: Readonly<Record<string, string>>): string {
  return text.replaceAll(VARIABLE, (whole, ...found) => {
    const { name, how, rest = '' } = found.at(-1) as { name?: string; how?: string; rest?: string };
    if (name === undefined) return '$';
    const value = variables[name] ?? '';
    if (value !== '') return value;
    if (how === ':?') throw new Error(`${name}: ${rest}`);
    if (how === ':-') return rest;
    throw new Error(`${whole}: no value, and nothing says whether it needs one`);
  });
}

/** Of the whole file, how each variable is asked for: `:?see …`, `:-`, or nothing. */
export function variablesOf(file: unknown): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const { groups } of JSON.stringify(file).matchAll(VARIABLE)) {
    if (groups?.name === undefined) continue;
    const { name, how = '', rest = '' } = groups;
    found.set(name, (found.get(name) ?? new Set()).add(how === ':-' ? how + rest : how));
  }
  return found;
}

/** Whom a service waits for, by name. */
export function dependenciesOf({ depends_on: on = {} }: ComposeService): Record<string, string> {
  if (Array.isArray(on)) return Object.fromEntries(on.map((name: string) => [name, 'service_started']));
  return Object.fromEntries(
    Object.entries(on as Record<string, { condition: string }>).map(([name, { condition }]) => [name, condition]),
  );
}

/** Every service behind those that it waits for. @throws Error for a circle */
export function inOrder(services: ComposeFile['services']): string[] {
  const order: string[] = [];
  const visit = (name: string, path: readonly string[]) => {
    if (path.includes(name)) throw new Error(`a circle: ${[...path, name].join(' -> ')}`);
    const service = services[name];
    if (service === undefined) throw new Error(`${path.at(-1)} waits for ${name}, which is no service`);
    if (order.includes(name)) return;
    for (const before of Object.keys(dependenciesOf(service))) visit(before, [...path, name]);
    order.push(name);
  };
  for (const name of Object.keys(services)) visit(name, []);
  return order;
}
