export { deliverBatch } from './deliver-batch.js';
export { deliverEvent } from './deliver-event.js';
export { notifyGroup } from './notify-group.js';
