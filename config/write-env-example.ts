// Writes .env.example from the table of settings; run after a build: `node config/write-env-example.ts`.
import { writeFileSync } from 'node:fs';

const built = new URL('../dist/src/infrastructure/config/env-example.js', import.meta.url);
const { renderEnvExample } = (await import(built.href)) as { renderEnvExample(): string };
writeFileSync(new URL('../.env.example', import.meta.url), renderEnvExample());
