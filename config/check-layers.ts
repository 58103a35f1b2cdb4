// Usage: node config/check-layers.ts [FOLDER]: holds the imports of FOLDER (default: this project) against config/layers.ts.
// Exits 1 on a violation, and also when it saw no modules or no imports: the tool passes an empty project in silence, and
// to it TypeScript without a parser that it knows (@swc/core) is empty.
import { existsSync } from 'node:fs';
import { cruise, type ICruiseResult } from 'dependency-cruiser';
import { layers } from './layers.ts';

const folder = process.argv[2] ?? '.';
process.chdir(folder);
const roots = ['src', 'workflows', 'activities'].filter((root) => existsSync(root));
const { output } = await cruise(roots, {
  validate: true,
  ruleSet: { forbidden: layers },
  parser: 'swc',
  tsPreCompilationDeps: true,
  doNotFollow: { path: 'node_modules' },
  exclude: { path: '^src/infrastructure/prisma/generated/[a-z]+/(internal|models)' },
  enhancedResolveOptions: {
    exportsFields: ['exports'],
    conditionNames: ['import', 'node', 'default', 'types'],
    extensions: ['.ts', '.tsx', '.js', '.d.ts'],
  },
});
const { violations, totalCruised, totalDependenciesCruised } = (output as ICruiseResult).summary;

for (const { rule, from, to } of violations) {
  const reason = layers.find(({ name }) => name === rule.name)?.comment ?? '';
  console.error(`${rule.name}: ${from} -> ${to}\n    ${reason}`);
}
console.log(`${totalCruised} modules, ${totalDependenciesCruised} imports, ${violations.length} violations`);
if (totalCruised === 0 || totalDependenciesCruised === 0) console.error('No modules or no imports were seen');
process.exitCode = violations.length > 0 || totalCruised === 0 || totalDependenciesCruised === 0 ? 1 : 0;
