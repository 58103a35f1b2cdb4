/** R1: workflow ids and their inverses. Pure. */
import fc from 'fast-check';
import { defaultTaskQueue, isDeploymentName } from '../../src/domain/delivery/deployment.js';
import {
  batchRunId,
  eventRunId,
  notifyRunId,
  parseBatchRunId,
  parseEventRunId,
  parseNotifyRunId,
} from '../../src/domain/delivery/workflow-ids.js';

const deployment = fc.stringMatching(/^[a-z0-9-]{1,40}$/);
const epoch = fc.nat();

it('R1: every id is read back by its own inverse, and by no other', () => {
  fc.assert(
    fc.property(deployment, fc.uuid(), epoch, (name, id, n) => {
      const event = eventRunId({ deployment: name, eventId: id, epoch: n });
      const batch = batchRunId({ deployment: name, id });
      const notify = notifyRunId({ deployment: name, id });
      expect(parseEventRunId(event)).toEqual({ deployment: name, eventId: id, epoch: n });
      expect(parseBatchRunId(batch)).toEqual({ deployment: name, id });
      expect(parseNotifyRunId(notify)).toEqual({ deployment: name, id });
      expect([batch, notify].map(parseEventRunId)).toEqual([null, null]);
      expect([event, notify].map(parseBatchRunId)).toEqual([null, null]);
      expect([event, batch].map(parseNotifyRunId)).toEqual([null, null]);
    }),
  );
});

it('R1: an inverse answers only what its function makes', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string(), fc.stringMatching(/^[a-z0-9-]{0,42}:[0-9a-fA-F-]{0,37}:[0-9+.e-]{0,20}$/)),
      (text) => {
        const event = parseEventRunId(text);
        if (event !== null) expect(eventRunId(event)).toBe(text);
        const batch = parseBatchRunId(text);
        if (batch !== null) expect(batchRunId(batch)).toBe(text);
        const notify = parseNotifyRunId(text);
        if (notify !== null) expect(notifyRunId(notify)).toBe(text);
      },
    ),
  );
  const id = '01900000-0000-7000-8000-000000000000';
  for (const bad of [`main:${id}`, `main:${id}:01`, `main:${id}:-1`, `main:${id}:0:0`, `Main:${id}:0`, `:${id}:0`]) {
    expect(parseEventRunId(bad)).toBeNull();
  }
});

it('R1: parts that could not be read back are refused', () => {
  const id = '01900000-0000-7000-8000-000000000000';
  expect(() => eventRunId({ deployment: 'a:b', eventId: id, epoch: 0 })).toThrow('deployment');
  expect(() => eventRunId({ deployment: 'a', eventId: id.toUpperCase().replace('8', 'A'), epoch: 0 })).toThrow('UUID');
  expect(() => eventRunId({ deployment: 'a', eventId: id, epoch: -1 })).toThrow('epoch');
  expect(() => batchRunId({ deployment: '', id })).toThrow('deployment');
});

it('R1: the deployment is in the default task queue', () => {
  expect(defaultTaskQueue('main')).toBe('outbox-main');
  expect(['main', 'a-1', 'x'.repeat(40)].every(isDeploymentName)).toBe(true);
  expect(['', 'Main', 'a_b', 'a:b', 'x'.repeat(41)].some(isDeploymentName)).toBe(false);
});
