/**
 * The commands that make a namespace as our runs need it: with a retention, and the four search attributes. Only told, never
 * run: making namespaces is a right that no role of ours should have.
 */

export interface NamespaceSetUp {
  readonly address: string;
  readonly namespace: string;
  readonly retentionHours: number;
  /** None where they are off. */
  readonly searchAttributes: readonly string[];
  /** Temporal Cloud: whether an API key is set; else a client certificate. */
  readonly byApiKey: boolean;
}

/** Each an argument list, for a program that runs it; `toShell` for a person. */
export type Commands = readonly (readonly string[])[];

/** Whether the address is one of Temporal Cloud's: of a namespace, or of a region (https://docs.temporal.io/cloud/namespaces). */
export function isCloudAddress(address: string): boolean {
  return /\.(tmprl\.cloud|api\.temporal\.io)(:\d+)?$/.test(address);
}

/** For the `temporal` CLI, which reads the same TEMPORAL_ variables for TLS and keys as we do. */
export function serverCommands({ address, namespace, retentionHours, searchAttributes }: NamespaceSetUp): Commands {
  const where = ['--address', address, '--namespace', namespace];
  const attributes = searchAttributes.flatMap((name) => ['--name', name, '--type', 'Keyword']);
  return [
    ['temporal', 'operator', 'namespace', 'create', ...where, '--retention', `${retentionHours}h`],
    ...(attributes.length === 0
      ? []
      : [['temporal', 'operator', 'search-attribute', 'create', ...where, ...attributes]]),
  ];
}

/**
 * For `tcld`, after `tcld login`: Temporal Cloud takes neither from the `temporal` CLI. In days there, from 1 to 90
 * (https://docs.temporal.io/cloud/tcld/namespace).
 */
export function cloudCommands({ address, namespace, searchAttributes, ...rest }: NamespaceSetUp): Commands {
  const region = /^([a-z0-9-]+)\.[a-z]+\.api\.temporal\.io/.exec(address)?.[1] ?? 'REGION';
  const days = Math.min(90, Math.max(1, Math.ceil(rest.retentionHours / 24)));
  const by = rest.byApiKey ? ['api_key'] : ['mtls', '--ca-certificate-file', 'CA.pem'];
  const attributes = searchAttributes.flatMap((name) => ['--search-attribute', `${name}=Keyword`]);
  const create = ['--namespace', namespace, '--region', region, '--retention-days', `${days}`, '--auth-method', ...by];
  return [['tcld', 'namespace', 'create', ...create, ...attributes]];
}

/** For a namespace that is there already. */
export function cloudAttributeCommands({ namespace, searchAttributes }: NamespaceSetUp): Commands {
  if (searchAttributes.length === 0) return [];
  const attributes = searchAttributes.flatMap((name) => ['--search-attribute', `${name}=Keyword`]);
  return [['tcld', 'namespace', 'search-attributes', 'add', '--namespace', namespace, ...attributes]];
}

/** As a POSIX shell takes it back apart into the same words. */
export function toShell(words: readonly string[]): string {
  return words.map((word) => (/^[\w./:=@+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(' ');
}
