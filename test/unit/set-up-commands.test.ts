import { execFileSync } from 'node:child_process';
import {
  cloudAttributeCommands,
  cloudCommands,
  isCloudAddress,
  type NamespaceSetUp,
  serverCommands,
  toShell,
} from '../../src/infrastructure/temporal/set-up-commands.js';

const wanted: NamespaceSetUp = {
  address: 'temporal:7233',
  namespace: 'shop',
  retentionHours: 72,
  searchAttributes: ['OutboxEventName', 'OutboxErrorCode'],
  byApiKey: false,
};

describe('the commands that make a namespace', () => {
  it.each([
    ['shop.a1b2c.tmprl.cloud:7233', true],
    ['eu-west-1.aws.api.temporal.io:7233', true],
    ['eu-west-1.aws.api.temporal.io', true],
    ['temporal:7233', false],
    ['shop.tmprl.cloud.example:7233', false],
    ['aws.api.temporal.io.example:7233', false],
  ])('%s: whether it is Temporal Cloud: %s', (address, cloud) => {
    expect(isCloudAddress(address)).toBe(cloud);
  });

  it('of a server: the namespace with its retention, then all search attributes at once; none where they are off', () => {
    const lines = serverCommands(wanted).map(toShell);
    expect(lines).toEqual([
      'temporal operator namespace create --address temporal:7233 --namespace shop --retention 72h',
      'temporal operator search-attribute create --address temporal:7233 --namespace shop --name OutboxEventName --type Keyword --name OutboxErrorCode --type Keyword',
    ]);
    expect(serverCommands({ ...wanted, searchAttributes: [] })).toHaveLength(1);
    expect(cloudAttributeCommands({ ...wanted, searchAttributes: [] })).toEqual([]);
  });

  it('of Temporal Cloud: the region out of the address, whole days between 1 and 90, by a key or a certificate', () => {
    const at = (more: Partial<NamespaceSetUp>) =>
      toShell(cloudCommands({ ...wanted, searchAttributes: [], ...more })[0] ?? []);
    const address = 'eu-west-1.aws.api.temporal.io:7233';
    expect(at({ address, byApiKey: true, retentionHours: 25 })).toBe(
      'tcld namespace create --namespace shop --region eu-west-1 --retention-days 2 --auth-method api_key',
    );
    expect(at({ address: 'shop.a1b2c.tmprl.cloud:7233', retentionHours: 10_000 })).toBe(
      'tcld namespace create --namespace shop --region REGION --retention-days 90 --auth-method mtls --ca-certificate-file CA.pem',
    );
    expect(toShell(cloudAttributeCommands(wanted)[0] ?? [])).toContain('--search-attribute OutboxErrorCode=Keyword');
  });

  it.each(["it's", 'a b', '$(id)', '', 'a;b', '*', '"', '\\'])(
    'a shell reads %j as the one word that it is',
    (word) => {
      const printed = execFileSync('sh', ['-c', `printf %s ${toShell([word])}`], { encoding: 'utf8' });
      expect(printed).toBe(word);
    },
  );
});
