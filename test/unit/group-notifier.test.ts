/** R24: the steps of a run that tells of a group. Fake: the store, and the channel, which keeps what it is sent. */
import { createGroupNotifier, type NotifyGroupDeps } from '../../src/application/delivery/notify/notify-group.js';
import type {
  ClaimedGroup,
  DeadLettersNotice,
  GroupOutcome,
  Notice,
} from '../../src/application/delivery/notify/ports.js';
import { NOTICES } from '../support/notices.js';

const { kind: _, at, deployment: __, monitorUrl: ___, temporalUrl: ____, ...group } = NOTICES.dead_letters;
const told = { group, at };
const CLAIMANT = 'main:notify:0199aaaa-0000-7000-8000-000000000003';

function open(more: Partial<NotifyGroupDeps> = {}) {
  const sent: Notice[] = [];
  const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
  const notifier = createGroupNotifier({
    store: { claimGroup: async () => told, findLeftBehind: async () => [], finishGroup: async () => undefined },
    notifiers: [{ name: 'hook', send: async (notice) => void sent.push(notice) }],
    routes: {},
    links: { deployment: 'main', monitorUrl: null },
    temporalUi: null,
    log: silent,
    ...more,
  });
  const send = () => notifier.send({ told, channel: 'hook', claimant: CLAIMANT, signal: new AbortController().signal });
  return { notifier, send, sent };
}

describe('the link to Temporal', () => {
  const linkFor = async (url: string, namespace = 'default') => {
    const { send, sent } = open({ temporalUi: { url, namespace } });
    await send();
    return (sent[0] as DeadLettersNotice).temporalUrl;
  };

  it("R24: leads to the first letter's run, in its namespace, where the Web UI's address is set", async () => {
    expect(await linkFor('https://temporal.example')).toBe(NOTICES.dead_letters.temporalUrl);
    expect(await linkFor('https://temporal.example/ui', 'a/b')).toBe(
      'https://temporal.example/ui/namespaces/a%2Fb/workflows/main%3A0199aaaa-0000-7000-8000-000000000002%3A0',
    );
  });

  it('R24: is left out where it is not', async () => {
    const { send, sent } = open();
    await send();
    expect(sent).toMatchObject([{ temporalUrl: null }]);
  });
});

describe('what no channel took', () => {
  async function finish(outcome: GroupOutcome, held: ClaimedGroup | null = told) {
    const asked: unknown[] = [];
    const errors: { fields: object; message: string }[] = [];
    const { notifier } = open({
      store: {
        claimGroup: async (claim) => {
          asked.push(claim);
          return held;
        },
        findLeftBehind: async () => [],
        finishGroup: async (end) => void asked.push(end),
      },
      log: {
        debug: () => undefined,
        info: () => undefined,
        warn: () => undefined,
        error: (fields: object, message: string) => void errors.push({ fields, message }),
      },
    });
    await notifier.finish({ claimant: CLAIMANT, outcome });
    return { asked, errors };
  }

  it('R24: is an error in the log, with what it says and why each channel did not; the group is done', async () => {
    const outcome = { slack: 'HTTP.CLIENT_ERROR', hook: 'HTTP.TIMEOUT' } as const;
    const { asked, errors } = await finish(outcome);
    expect(errors).toMatchObject([
      {
        message: 'notice.dead_letters',
        fields: { notice: { title: '1000 dead letters: AUTH, HTTP.TIMEOUT' }, notTaken: outcome },
      },
    ]);
    expect(asked).toEqual([
      { rowId: '0199aaaa-0000-7000-8000-000000000003', claimant: CLAIMANT },
      { claimant: CLAIMANT, outcome },
    ]);
  });

  it('R24: not where one took it, where it goes to nobody, or where an earlier try has ended it', async () => {
    for (const outcome of [{ slack: 'HTTP.CLIENT_ERROR', hook: 'sent' } as const, {}])
      expect(await finish(outcome)).toEqual({ asked: [{ claimant: CLAIMANT, outcome }], errors: [] });
    const { errors, asked } = await finish({ slack: 'HTTP.CLIENT_ERROR' }, null);
    expect(errors).toEqual([]);
    expect(asked).toHaveLength(2);
  });
});
