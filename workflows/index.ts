export { deliverEvent } from './deliver-event.js';
