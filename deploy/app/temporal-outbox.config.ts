// What every role loads. Your handlers, mappers, policies and notifiers belong into a copy of this folder, below deploy/, and the
// image is built with it (APP): docs/deployment.md.
import { defineConfig } from 'temporal-outbox';

export default defineConfig({});
