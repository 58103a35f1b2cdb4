import { defineConfig } from 'temporal-outbox';
import { orderPlacedMapper } from './src/audit-mapper.ts';
import { warehouseHandler } from './src/warehouse-handler.ts';

export default defineConfig({
  handlers: [warehouseHandler(process.env.WAREHOUSE_URL ?? 'http://127.0.0.1:4100/shipments')],
  mappers: { 'shop.order.placed': orderPlacedMapper },
});
