/** R24: the steps of a run that tells of a group. Fake: the store, and the channel, which keeps what it is sent. */
import { createGroupNotifier, type NotifyGroupDeps } from '../../src/application/delivery/notify/notify-group.js';
import type { DeadLettersNotice, Notice } from '../../src/application/delivery/notify/ports.js';
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
    expect(await linkFor('https://temporal.example/ui', 'a b')).toBe(
      'https://temporal.example/ui/namespaces/a%20b/workflows/main%3A0199aaaa-0000-7000-8000-000000000002%3A0',
    );
  });

  it('R24: is left out where it is not', async () => {
    const { send, sent } = open();
    await send();
    expect(sent).toMatchObject([{ temporalUrl: null }]);
  });
});
