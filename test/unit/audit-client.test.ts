/** Real: the client. Fake: the audit log, scripted. */
import { type AuditEvent, createAuditClient } from '../../src/client.js';
import { FakeHttpClient, type Script, toAuditEvent } from '../../src/testing.js';
import { failure } from '../contract/http-client.contract.js';
import { eventOf } from '../support/events.js';

const event: AuditEvent = toAuditEvent(eventOf(), {});
const record = {
  recordId: '0197d3a0-0000-7000-8000-00000000000a',
  recordedAt: '2026-04-01T00:00:02.000Z',
  hash: `sha-256:${'cd'.repeat(32)}`,
};

function setUp(script: Script) {
  const http = new FakeHttpClient(script);
  return { http, client: createAuditClient({ baseUrl: 'http://audit.test/', apiKey: 'k', http }) };
}

describe('the audit client', () => {
  it('stores one event under its id and returns the receipt', async () => {
    const receipt = { ...record, eventId: event.eventId, replayed: false };
    const { client, http } = setUp({ status: 201, body: JSON.stringify(receipt) });
    await expect(client.record(event)).resolves.toEqual(receipt);
    expect(http.requests).toMatchObject([
      {
        url: 'http://audit.test/integration/v1/audit/logs',
        headers: { authorization: 'Bearer k', 'Idempotency-Key': event.eventId },
        body: JSON.stringify(event),
      },
    ]);
  });

  it('asks which identities stand', async () => {
    const results = [{ found: true, ...record }, { found: false }];
    const { client, http } = setUp({ status: 200, body: JSON.stringify({ results }) });
    const identities = [
      { source: 'a', eventId: '1' },
      { source: 'a', eventId: '2' },
    ];
    await expect(client.lookup(identities)).resolves.toEqual(results);
    expect(http.requests[0]?.body).toBe(JSON.stringify({ identities }));
  });

  it.each([
    [200, 'HTTP.BAD_RESPONSE'],
    [422, 'HTTP.CLIENT_ERROR'],
    [503, 'HTTP.SERVER_ERROR'],
  ])('throws by the error table for a %i without what was agreed', async (status, code) => {
    const { client } = setUp({ status, body: '{}' });
    expect((await failure(client.record(event))).code).toBe(code);
    expect((await failure(client.lookup([{ source: 'a', eventId: '1' }]))).code).toBe(code);
  });
});
