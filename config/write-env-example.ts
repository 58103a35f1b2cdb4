/** `node config/write-env-example.ts` after a build: writes .env.example from the table of settings. */
import { writeFileSync } from 'node:fs';

const { renderEnvExample } = await import('../dist/src/infrastructure/config/env-example.js');
writeFileSync(new URL('../.env.example', import.meta.url), renderEnvExample());
