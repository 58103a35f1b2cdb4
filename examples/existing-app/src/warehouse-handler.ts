import { defineHandler, type Handler, toHttpError } from 'temporal-outbox';

export interface Shipment {
  readonly orderId: string;
  readonly sku: string;
  readonly quantity: number;
}

/** Asks the warehouse to ship. What the schema refuses is never sent: it ends as a dead letter that names the field. */
export function warehouseHandler(url: string): Handler {
  return defineHandler<Shipment>({
    routingKey: 'warehouse.shipment',
    schema: { parse: toShipment },
    async deliver(event, { http, idempotencyKey }) {
      const headers = { 'content-type': 'application/json', 'idempotency-key': idempotencyKey };
      const answer = await http.send({ method: 'POST', url, headers, body: JSON.stringify(event.payload) });
      if (answer.status !== 201 && answer.status !== 200) throw toHttpError(answer);
      return { id: receiptOf(answer.body), status: answer.status, replayed: answer.status === 200 };
    },
    /** Asked before a letter is written for a request whose answer was lost. */
    async find(event, { http }) {
      const answer = await http.send({ method: 'GET', url: `${url}/${event.id}` });
      if (answer.status === 404) return null;
      if (answer.status !== 200) throw toHttpError(answer);
      return { id: receiptOf(answer.body), status: 200, replayed: true };
    },
  });
}

/** Any library whose schema has a `parse` will do here, zod for one. */
function toShipment(payload: unknown): Shipment {
  const { orderId, sku, quantity } = payload as Partial<Record<keyof Shipment, unknown>>;
  if (typeof orderId !== 'string' || typeof sku !== 'string') throw new Error('expected an orderId and a sku');
  if (typeof quantity !== 'number' || quantity < 1) throw new Error('expected a quantity of at least 1');
  return { orderId, sku, quantity };
}

function receiptOf(body: string): string {
  return (JSON.parse(body) as { shipmentId: string }).shipmentId;
}
