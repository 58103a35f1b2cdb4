/** Real: the table of settings, the environment's reader, .env.example and config files on disk. Nothing is fake. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NOTE_TOOLS } from '../../src/application/audit/log/note-tools.js';
import { defineConfig } from '../../src/application/delivery/define-config.js';
import { formatSignerKey, formatVerifierKey, signerKey } from '../../src/domain/audit/note-key.js';
import { renderEnvExample } from '../../src/infrastructure/config/env-example.js';
import { loadConfigFile } from '../../src/infrastructure/config/load-config-file.js';
import { ConfigurationError, loadSettings } from '../../src/infrastructure/config/load-settings.js';
import { definitionOf, SETTING_KEYS, variableOf } from '../../src/infrastructure/config/settings.js';
import { mistypedTemporalVariables, TEMPORAL_VARIABLES } from '../../src/infrastructure/config/temporal-variables.js';
import { openLogKeys } from '../../src/main/open-log-keys.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const HEX = 'ab'.repeat(32);

function problemsOf(read: () => unknown): readonly string[] {
  try {
    read();
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems;
    throw error;
  }
  return [];
}

describe('the settings', () => {
  it('are their defaults in an empty environment, for somebody who needs nothing else', () => {
    expect(loadSettings({}, [])).toMatchObject({
      deployment: 'main',
      leaseMs: 30_000,
      batch: 200,
      startsAtOnce: 50,
      startTimeoutMs: 5_000,
      maxRuns: 500,
      localPlaces: 32,
      regularPlaces: 64,
      shutdownGraceMs: 30_000,
      pollFloorMs: 25,
      pollIdleMs: 1_000,
      searchAttributes: 'ensure',
      searchAttributePrefix: 'Outbox',
    });
  });

  it('B29: names every missing, malformed and unknown variable at once', () => {
    const environment = {
      OUTBOX_LEASE_MS: 'soon',
      OUTBOX_DEPLOYMENT: 'Main_1',
      OUTBOX_LESE_MS: '1',
      AUDIT_NONSENSE_WITHOUT_ANY_LIKENESS: '1',
      HOME: '/root',
    };
    expect(problemsOf(() => loadSettings(environment, ['worker', 'api']))).toEqual([
      expect.stringMatching(/^OUTBOX_DATABASE_URL: missing \(worker\)/),
      expect.stringMatching(/^AUDIT_DATABASE_URL: missing \(api\)/),
      expect.stringMatching(/^OUTBOX_DEPLOYMENT: expected .*, got "Main_1"$/),
      expect.stringMatching(/^AUDIT_FINGERPRINT_KEYS: missing \(api\)/),
      expect.stringMatching(/^OUTBOX_AUDIT_API_KEY: missing \(worker\)/),
      expect.stringMatching(/^OUTBOX_LEASE_MS: expected a whole number .*, got "soon"$/),
      'AUDIT_NONSENSE_WITHOUT_ANY_LIKENESS: unknown',
      'OUTBOX_LESE_MS: unknown; did you mean OUTBOX_LEASE_MS?',
    ]);
  });

  it('never shows the value of a secret', () => {
    const secrets = SETTING_KEYS.filter((key) => definitionOf(key).secret);
    const environment = Object.fromEntries(secrets.map((key) => [variableOf(key), 'hunter2:hunter2']));
    const problems = problemsOf(() => loadSettings(environment, []));
    expect(problems.length).toBeGreaterThanOrEqual(3);
    expect(problems.join('\n')).not.toContain('hunter2');
  });

  it('takes an empty variable for an unset one', () => {
    expect(loadSettings({ OUTBOX_LEASE_MS: '', OUTBOX_TASK_QUEUE: '' }, [])).toMatchObject({ leaseMs: 30_000 });
  });

  it.each(['0', '-1', '1e3', '1.5', ' 200', '0x10', '99999999999999999999'])(
    'refuses %j for a whole number',
    (value) => {
      expect(problemsOf(() => loadSettings({ OUTBOX_BATCH: value }, []))).toHaveLength(1);
    },
  );

  it('reads fingerprint keys in their order, and refuses short, repeated and odd ones', () => {
    const read = (value: string) => loadSettings({ AUDIT_FINGERPRINT_KEYS: value }, []).auditFingerprintKeys;
    expect(read(`k2:${HEX}, k1:${HEX}`)?.map(({ id, secret }) => [id, secret])).toEqual([
      ['k2', HEX],
      ['k1', HEX],
    ]);
    for (const bad of [HEX, 'k1:abcd', `k1:${HEX},k1:${HEX}`, `:${HEX}`, `k1:${HEX},`, `k1:${HEX}0`]) {
      expect(problemsOf(() => read(bad))).toHaveLength(1);
    }
  });

  it("reads the log's keys, and says of a wrong one nothing that is secret", () => {
    const key = signerKey(NOTE_TOOLS, 'log.test', new Uint8Array(32).fill(1));
    const [signer, verifier] = [formatSignerKey(key), formatVerifierKey(key)];
    const read = loadSettings({ AUDIT_SIGNING_KEYS: `${signer}, ${signer}`, AUDIT_VERIFIER_KEYS: verifier }, []);
    expect(read.auditSigningKeys).toEqual([key, key]);
    expect(read.auditVerifierKeys?.map(formatVerifierKey)).toEqual([verifier]);
    for (const bad of [verifier, `${signer},`, signer.replace('log.test', 'other'), signer.slice(0, -4)]) {
      const [problem] = problemsOf(() => loadSettings({ AUDIT_SIGNING_KEYS: bad }, []));
      expect(problem).toMatch(/^AUDIT_SIGNING_KEYS: /);
      expect(problem).not.toContain(signer.slice(-30, -4));
    }
    expect(problemsOf(() => loadSettings({ AUDIT_LOG_ORIGIN: 'log.test/2' }, []))).toHaveLength(1);
    expect(
      problemsOf(() => openLogKeys(loadSettings({ AUDIT_SIGNING_KEYS: signer, AUDIT_LOG_ORIGIN: 'a.b' }, []))),
    ).toEqual([expect.stringContaining('log.test')]);
    expect(openLogKeys(loadSettings({}, []))).toBeNull();
    expect(openLogKeys(loadSettings({ AUDIT_VERIFIER_KEYS: verifier }, []))).toMatchObject({
      base: 'log.test',
      signers: [],
    });
  });

  it('have different variables, each with a prefix that is checked', () => {
    const variables = SETTING_KEYS.map(variableOf);
    expect(new Set(variables).size).toBe(variables.length);
    for (const variable of variables) expect(variable).toMatch(/^(OUTBOX|AUDIT)_[A-Z_]+$/);
  });

  it('are each read somewhere outside the table', () => {
    const sources = ['src/main', 'src/cli']
      .flatMap((folder) =>
        readdirSync(join(root, folder), { recursive: true }).map((name) => join(root, folder, String(name))),
      )
      .filter((path) => path.endsWith('.ts'))
      .map((path) => readFileSync(path, 'utf8'))
      .join('\n');
    const unread = SETTING_KEYS.filter(
      (key) => !new RegExp(`settings\\.${key}\\b|\\b${key}[,:} ][^\\n]*= (\\w+\\.)?settings`).test(sources),
    );
    expect(unread).toEqual([]);
  });

  it('says once that no .env file is read, where one is missing', () => {
    const messageOfMissing = messageOf(() => loadSettings({}, ['relay', 'api']));
    expect(messageOfMissing.match(/No \.env file is read/g)).toHaveLength(1);
    expect(messageOf(() => loadSettings({ OUTBOX_BATCH: 'x' }, []))).not.toContain('.env file');
  });

  it('are all in .env.example, which is generated', () => {
    expect(readFileSync(join(root, '.env.example'), 'utf8')).toBe(renderEnvExample());
  });
});

describe("Temporal's own variables", () => {
  it('are those that envconfig reads', () => {
    const folder = join(root, 'node_modules/@temporalio/envconfig/lib');
    const code = readdirSync(folder)
      .filter((name) => name.endsWith('.js'))
      .map((name) => readFileSync(join(folder, name), 'utf8'));
    const read = new Set(code.join('\n').match(/\bTEMPORAL_[A-Z_]+\b/g));
    expect([...read].sort()).toEqual([...TEMPORAL_VARIABLES, 'TEMPORAL_GRPC_META_'].sort());
  });

  it.each([
    ['TEMPORAL_ADRESS', 'TEMPORAL_ADDRESS'],
    ['TEMPORAL_NAMESPACES', 'TEMPORAL_NAMESPACE'],
    ['TEMPORAL_APIKEY', 'TEMPORAL_API_KEY'],
    ['TEMPORAL_TLS_SERVERNAME', 'TEMPORAL_TLS_SERVER_NAME'],
  ])('%s is told as mistyped: %s', (variable, nearest) => {
    expect(mistypedTemporalVariables({ [variable]: 'x' })).toEqual([{ variable, nearest }]);
  });

  it('others may have names with the same prefix', () => {
    const others = {
      TEMPORAL_CLI_PATH: 'x',
      TEMPORAL_UI_PORT: '1',
      TEMPORAL_GRPC_META_ADRESS: 'x',
      TEMPORAL_ADRESS: '',
    };
    const own = Object.fromEntries(TEMPORAL_VARIABLES.map((name) => [name, 'x']));
    expect(mistypedTemporalVariables({ ...others, ...own, PATH: 'x' })).toEqual([]);
  });
});

describe('the configuration file', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'outbox-config-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const load = (text: string, name = 'temporal-outbox.config.mjs') => {
    writeFileSync(join(folder, name), text);
    return loadConfigFile(name, folder);
  };

  it('is empty where none is named and none is there', async () => {
    await expect(loadConfigFile(null, folder)).resolves.toEqual({});
  });

  it('must be there where it is named', async () => {
    await expect(loadConfigFile('mine.ts', folder)).rejects.toThrow(/mine\.ts: no such file/);
  });

  it('is the default export', async () => {
    const handler = "{ routingKey: 'partner', deliver: async () => ({ id: '1' }) }";
    await expect(load(`export default { handlers: [${handler}] };`)).resolves.toMatchObject({
      handlers: [{ routingKey: 'partner' }],
    });
    await expect(load('export const config = {};', 'named.mjs')).rejects.toThrow('no default export');
  });

  it('names the file when it cannot be loaded, and keeps the cause', async () => {
    const error = await load("throw new Error('no database');").catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      name: 'ConfigurationError',
      message: expect.stringMatching(/config\.mjs: could not be loaded: no database/),
      cause: expect.objectContaining({ message: 'no database' }),
    });
  });

  it('is refused with every problem named', async () => {
    const text = `const h = { routingKey: 'a', deliver() {} };
      export default { handlers: [h, h, {}], mappers: { x: 1 }, polices: {} };`;
    await expect(load(text)).rejects.toThrow(
      /^The configuration does not fit:\n.*mjs: polices: unknown; known are handlers, mappers, redaction, policies, notifiers, notify, ingest\n.*mjs: handlers\[1\]: a second handler for the routing key "a"\n.*: handlers\[2\]: expected .*\n.*: mappers\["x"\]: expected a function$/,
    );
  });

  it('names what is wrong with its redaction, and shows no pattern', () => {
    const redaction = {
      keys: ['diagnosis', '', 7],
      patterns: [/case-\d+/g, /hunter2/, /x/gy, /a*/g, 'x'],
      personalData: 'no',
      secrets: [],
      byEventType: {
        AUTH: { keep: ['userId'], drop: ['ip'] },
        ORDER: {},
        USER: { keep: 'all' },
        '*': { drop: [7], hide: [] },
      },
    };
    const problems = /:\n([\s\S]*)/.exec(messageOf(() => defineConfig({ redaction } as never)))?.[1]?.split('\n');
    expect(problems).toEqual([
      'redaction.secrets: unknown; known are keys, patterns, personalData, byEventType',
      'redaction.keys[1]: expected a name of 1 to 64 characters with a letter or digit in it',
      'redaction.keys[2]: expected a name of 1 to 64 characters with a letter or digit in it',
      'redaction.patterns[1]: expected the flag g, got ""',
      'redaction.patterns[2]: expected no flag y, got "gy"',
      'redaction.patterns[3]: expected a pattern that does not match the empty text',
      'redaction.patterns[4]: expected a RegExp',
      'redaction.personalData: expected true or false',
      'redaction.byEventType["ORDER"]: expected { keep: [fields] }, { drop: [names] } or both',
      'redaction.byEventType["USER"].keep: expected an array of names',
      'redaction.byEventType["*"].hide: unknown; known are keep, drop',
      'redaction.byEventType["*"].drop[0]: expected a name of 1 to 64 characters with a letter or digit in it',
    ]);
    for (const redaction of [7, null, []]) {
      expect(() => defineConfig({ redaction } as never)).toThrow('redaction: expected an object');
    }
  });

  it("names what is wrong with the ingest's rules", () => {
    const ingest = {
      schemas: { 'auth.user.signed_in': {}, 'auth.user.signed_in@2': true, Login: {}, 'a.b@0': {} },
      redaction: {
        keys: 'diagnosis',
        byCategory: { iam: { keys: ['note'] }, medical: {} },
        byAction: { 'a.b': { patterns: [/x/] }, 'a.c': 7, x: {}, 'a.d': { drop: [] } },
        personalData: true,
      },
      schema: {},
    };
    const problems = /:\n([\s\S]*)/.exec(messageOf(() => defineConfig({ ingest } as never)))?.[1]?.split('\n');
    const action = 'expected an action, such as auth.user.signed_in, or one with its version: …@2';
    expect(problems).toEqual([
      'ingest.schema: unknown; known are schemas, redaction',
      'ingest.schemas["auth.user.signed_in@2"]: expected a JSON Schema, an object',
      `ingest.schemas["Login"]: ${action}`,
      `ingest.schemas["a.b@0"]: ${action}`,
      'ingest.redaction.personalData: unknown; known are keys, patterns, byCategory, byAction',
      'ingest.redaction.keys: expected an array of names',
      expect.stringMatching(/^ingest\.redaction\.byCategory\["medical"\]: unknown; known are authentication, /),
      'ingest.redaction.byAction["a.b"].patterns[0]: expected the flag g, got ""',
      'ingest.redaction.byAction["a.c"]: expected an object { keys?, patterns? }',
      `ingest.redaction.byAction["x"]: ${action}`,
      'ingest.redaction.byAction["a.d"].drop: unknown; known are keys, patterns',
    ]);
    for (const wrong of [7, null, [], { schemas: [] }, { redaction: 7 }, { redaction: { byAction: [] } }]) {
      expect(() => defineConfig({ ingest: wrong } as never)).toThrow(/ingest[a-zA-Z.]*: expected an object/);
    }
  });

  it.each([null, 7, 'x'])('is refused when it is %j', (config) => {
    expect(() => defineConfig(config as never)).toThrow('expected an object');
  });
});

function messageOf(make: () => unknown): string {
  try {
    make();
  } catch (error) {
    return (error as Error).message;
  }
  return '';
}
