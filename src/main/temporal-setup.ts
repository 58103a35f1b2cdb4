/** `outbox temporal setup --print`: how to make the namespace that the present settings name. Asks no server. */

import { leastRetentionHours } from '../application/delivery/doctor/judge-temporal.js';
import { resolvePolicies } from '../application/delivery/policy-schema.js';
import { loadConfigFile } from '../infrastructure/config/load-config-file.js';
import { loadSettings } from '../infrastructure/config/load-settings.js';
import { processEnvironment } from '../infrastructure/config/process-environment.js';
import { searchAttributeNames } from '../infrastructure/temporal/search-attributes.js';
import {
  cloudAttributeCommands,
  cloudCommands,
  isCloudAddress,
  type NamespaceSetUp,
  serverCommands,
  toShell,
} from '../infrastructure/temporal/set-up-commands.js';
import { readTarget } from './delivery-environment.js';
import { longestDeadline } from './longest-deadline.js';
import { print } from './terminal.js';
import { UsageError } from './usage-error.js';

export interface TemporalSetupOptions {
  readonly print?: boolean;
  readonly cloud?: boolean;
  readonly retention?: number;
  readonly config?: string;
  readonly json?: boolean;
}

/** Over a weekend: who comes back on Monday can still look at what ended on Friday. */
const RETENTION_HOURS = 72;

const CAPITALS = /^(REGION|CA\.pem)$/;

export async function runTemporalSetup(options: TemporalSetupOptions): Promise<number> {
  if (!options.print) {
    throw new UsageError('expected --print: this command runs nothing by itself', { command: 'outbox temporal setup' });
  }
  const environment = processEnvironment();
  const settings = loadSettings(environment, []);
  const { address, namespace, connectionOptions } = readTarget(environment);
  const { policies } = await loadConfigFile(options.config ?? null, process.cwd());
  const least = leastRetentionHours(longestDeadline(resolvePolicies(policies)));
  const names = Object.values(searchAttributeNames(settings.searchAttributePrefix));
  const wanted: NamespaceSetUp = {
    address,
    namespace,
    retentionHours: options.retention ?? Math.max(RETENTION_HOURS, least),
    searchAttributes: settings.searchAttributes === 'off' ? [] : names,
    byApiKey: connectionOptions.apiKey !== undefined,
  };
  const cloud = options.cloud ?? isCloudAddress(address);
  const commands = cloud ? cloudCommands(wanted) : serverCommands(wanted);
  const existing = cloud ? cloudAttributeCommands(wanted) : [];
  if (options.json) {
    const { byApiKey: _, ...document } = wanted;
    print(JSON.stringify({ ...document, cloud, leastRetentionHours: least, commands, existing }));
    return 0;
  }
  if (wanted.retentionHours < least) {
    print(`# ${least} h at least: the longest deadline of a policy, whose runs are looked for until then`);
  }
  for (const words of commands) print(toShell(words));
  if (cloud) {
    if (commands.flat().some((word) => CAPITALS.test(word))) {
      print('# put your region, and the certificate of your authority, where a word in capitals stands');
    }
    if (existing.length > 0) print('# where the namespace is there already:');
    for (const words of existing) print(toShell(words));
    if (existing.length > 0) print('# and then OUTBOX_SEARCH_ATTRIBUTES=require: roles cannot make them there');
  }
  return 0;
}
