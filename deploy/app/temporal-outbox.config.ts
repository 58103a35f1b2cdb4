// What every role loads. Put your handlers, mappers, policies and notifiers here, or build the image with a folder of your own
// (`--build-arg APP=…`): docs/deployment.md.
import { defineConfig } from 'temporal-outbox';

export default defineConfig({});
