// The contract of the delivery's stores on a real PostgreSQL. Nothing is fake. The in-memory store: contract/memory-outbox.
import { deliveryStoreContract } from '../contract/delivery-store.contract.js';
import { createDeliveryStore } from '../support/delivery-line.js';

deliveryStoreContract('PostgreSQL', async () => {
  const store = await createDeliveryStore();
  return {
    attempts: store.attempts,
    deadLetters: store.deadLetters,
    effects: store.effects,
    redrive: async (id) => (await store.redrive(id)).kind === 'redriven',
    append: () => store.append(),
    look: async (id) => {
      const { receipt, ...row } = await store.delivery(id);
      const letters = (await store.letters(id)).map((letter) => ({
        epoch: letter.epoch,
        state: letter.state,
        code: letter.code,
        message: letter.message,
        field: letter.field,
        response: letter.response,
        retryCount: letter.retry_count,
        maxRetries: letter.max_retries,
      }));
      return { ...row, receiptId: receipt?.id ?? null, attempts: await store.attemptRows(id), letters };
    },
    close: () => store.close(),
  };
});
