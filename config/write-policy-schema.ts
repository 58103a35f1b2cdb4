// Writes dist/policy.schema.json from the zod schema that checks a configuration's policies; part of the build.
import { writeFileSync } from 'node:fs';

const built = new URL('../dist/src/application/delivery/policy-schema.js', import.meta.url);
const { policiesJsonSchema } = (await import(built.href)) as { policiesJsonSchema(): object };
writeFileSync(
  new URL('../dist/policy.schema.json', import.meta.url),
  `${JSON.stringify(policiesJsonSchema(), null, 2)}\n`,
);
