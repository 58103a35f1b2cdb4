// Real: the check of what a handler returned. No outside system.
import { checkReceipt } from '../../src/application/delivery/check-receipt.js';

const receipt = { id: 'r-1', hash: null, status: 201, at: '2026-04-01T00:00:00.000Z', replayed: false };

describe('a receipt', () => {
  it('stands with a status of success or none', () => {
    for (const status of [200, 201, 204, 299, null]) expect(checkReceipt({ ...receipt, status }).status).toBe(status);
  });

  it('stands with a 409 where the handler says that it is the first one', () => {
    expect(checkReceipt({ ...receipt, status: 409, replayed: true })).toMatchObject({ status: 409, replayed: true });
  });

  it.each([
    [503, 'HTTP.SERVER_ERROR'],
    [500, 'HTTP.SERVER_ERROR'],
    [429, 'HTTP.RATE_LIMITED'],
    [422, 'HTTP.CLIENT_ERROR'],
    [401, 'HTTP.UNAUTHORIZED'],
    [302, 'HTTP.BAD_RESPONSE'],
    [409, 'HTTP.CLIENT_ERROR'],
  ])('with status %i is a refusal (%s), whatever id stands in the answer', (status, code) => {
    expect(() => checkReceipt({ ...receipt, status })).toThrow(expect.objectContaining({ code, status }));
  });
});
