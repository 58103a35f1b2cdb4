/**
 * The application: `node src/shop.ts CUSTOMER SKU QUANTITY` writes the order and what follows from it in one transaction.
 * Either all of it stands or nothing does; an order of more than a hundred is rolled back after its events were appended.
 */
import { PrismaPg } from '@prisma/adapter-pg';
import { recordEvents } from 'temporal-outbox';
import { PrismaClient } from './generated/client.ts';

const [customer = 'ada', sku = 'teapot', quantity = '1'] = process.argv.slice(2);
const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: process.env.DATABASE_URL }) });
try {
  const placed = await prisma.$transaction(async (tx) => {
    const order = await tx.order.create({ data: { customer, sku, quantity: Number(quantity) } });
    const aggregate = { type: 'order', id: order.id };
    const what = { sku, quantity: order.quantity };
    const [auditEvent, shipmentEvent] = await recordEvents(tx, [
      // No routing key: the audit log.
      { eventName: 'shop.order.placed.v1', eventType: 'ORDER', aggregate, payload: { customer, ...what } },
      {
        eventName: 'shop.shipment.requested.v1',
        eventType: 'SHIPMENT',
        routingKey: 'warehouse.shipment',
        aggregate,
        payload: { orderId: order.id, ...what },
      },
    ]);
    if (order.quantity > 100) throw new Error('not that many');
    return { orderId: order.id, auditEvent, shipmentEvent };
  });
  console.log(JSON.stringify(placed));
} catch (error) {
  console.error(`no order: ${(error as Error).message}`);
  process.exitCode = 1;
} finally {
  await prisma.$disconnect();
}
