import type { IForbiddenRuleType } from 'dependency-cruiser';

const ANY_OF_OURS = '^(src|workflows|activities)/';

/** Which folder may import what (design, section 4): one rule, one comment. A planted violation of each is a test. */
export const layers: IForbiddenRuleType[] = [
  {
    name: 'domain-is-pure',
    comment: 'Values and decisions only: no package, no Node, no other layer, so workflows can run it again.',
    from: { path: '^src/domain/' },
    to: { pathNot: '^src/domain/' },
  },
  {
    name: 'contract-stands-alone',
    comment: 'Both sides and foreign clients share the DTO: it leans on packages only.',
    from: { path: '^src/contract/' },
    to: { path: ANY_OF_OURS, pathNot: '^src/contract/' },
  },
  {
    name: 'application-knows-ports-only',
    comment: 'Use cases get the outside through their ports; src/main brings the two together.',
    from: { path: '^src/application/' },
    to: { path: ANY_OF_OURS, pathNot: '^src/(application|domain|contract)/' },
  },
  {
    name: 'infrastructure-is-called',
    comment: 'An adapter calls nobody above it. The one name it shares with workflows is their contract.',
    from: { path: '^src/infrastructure/' },
    to: { path: ANY_OF_OURS, pathNot: '^(src/(infrastructure|application|domain|contract)/|workflows/contract\\.ts$)' },
  },
  {
    name: 'http-calls-use-cases',
    comment: 'Routes decode, call a use case and encode: what they need is given to them.',
    from: { path: '^src/http/' },
    to: { path: ANY_OF_OURS, pathNot: '^src/(http|application|domain|contract)/' },
  },
  {
    name: 'audit-client-is-outside',
    comment:
      'The client speaks HTTP as any caller does: contract, error table, retry policy and the HTTP client, no use case of ours.',
    from: { path: '^src/audit-client/' },
    to: {
      path: ANY_OF_OURS,
      pathNot:
        '^src/(audit-client|contract|domain/delivery|infrastructure/http)/|^src/application/delivery/(ports|relay-time|handlers/to-http-error)\\.ts$',
    },
  },
  {
    name: 'activities-call-use-cases',
    comment: 'Activities are thin: decode, call the application, encode the failure.',
    from: { path: '^activities/' },
    to: { path: ANY_OF_OURS, pathNot: '^(activities/|src/(application|domain|contract)/|workflows/contract\\.ts$)' },
  },
  {
    name: 'workflows-are-deterministic',
    comment: 'Whatever a workflow imports is bundled and replayed: its own folder, the pure domain, the SDK.',
    from: { path: '^workflows/' },
    to: { pathNot: '(^(workflows|src/domain/delivery)/|node_modules/@temporalio/(workflow|common)/)' },
  },
  {
    name: 'workflow-code-runs-in-workflows',
    comment: 'Outside of the sandbox only the names, ids and inputs of the contract mean anything.',
    from: { path: '^(src|activities)/' },
    to: { path: '^workflows/', pathNot: '^workflows/contract\\.ts$' },
  },
  {
    name: 'delivery-ignores-audit',
    comment: 'The sides may live in two databases and two processes: they meet at HTTP and the contract.',
    from: { path: '^src/(domain|application)/delivery/' },
    to: { path: '^src/(domain|application)/audit/' },
  },
  {
    name: 'audit-ignores-delivery',
    comment: 'As delivery-ignores-audit, the other way.',
    from: { path: '^src/(domain|application)/audit/' },
    to: { path: '^src/(domain|application)/delivery/' },
  },
  {
    name: 'redaction-takes-no-side',
    comment: 'Both sides redact by the same rules, so what they share leans on neither.',
    from: { path: '^src/(domain|application)/redaction/' },
    to: { path: '^src/(domain|application)/(delivery|audit)/' },
  },
  {
    name: 'main-is-below-cli-only',
    comment: 'The command line parses and calls main; nothing calls the command line.',
    from: { pathNot: '^src/cli/' },
    to: { path: '^src/cli/' },
  },
  {
    name: 'cli-calls-main',
    comment: 'A command holds no logic: what it does is a function of src/main, which tests call too.',
    from: { path: '^src/cli/' },
    to: { path: ANY_OF_OURS, pathNot: '^src/(cli|main)/' },
  },
  {
    name: 'temporal-in-its-places',
    comment: 'The SDK is known to workflows, activities, one adapter and the composition root.',
    from: { pathNot: '^(workflows|activities|src/infrastructure/temporal|src/main)/' },
    to: { path: 'node_modules/@temporalio/' },
  },
  {
    name: 'prisma-in-its-place',
    comment: 'Prisma and its generated clients stay behind infrastructure/prisma.',
    from: { pathNot: '^src/infrastructure/prisma/' },
    to: { path: '(node_modules/(@prisma|prisma)/|^src/infrastructure/prisma/generated/)' },
  },
  {
    name: 'pg-in-its-places',
    comment:
      'SQL is written in infrastructure/prisma. The embedded server asks whether it is up; the sample and a chaos run are producers and hold accounts of their own.',
    from: { pathNot: '^src/(infrastructure/(prisma|embedded)|main/(dev|chaos))/' },
    to: { path: 'node_modules/(pg|pg-[a-z-]+|@types/pg)/' },
  },
  {
    name: 'express-in-its-place',
    comment: 'The web framework stays behind src/http.',
    from: { pathNot: '^src/http/' },
    to: { path: 'node_modules/(express|helmet|@types/express)/' },
  },
  {
    name: 'tracing-sdk-in-its-place',
    comment:
      "OpenTelemetry's SDK stays behind infrastructure/tracing, which is loaded only where tracing is on. Its API alone makes nothing.",
    from: { path: ANY_OF_OURS, pathNot: '^src/infrastructure/tracing/' },
    to: { path: 'node_modules/@opentelemetry/(?!api/)' },
  },
  {
    name: 'tracing-sdk-on-demand',
    comment: 'By import() alone, or as types: with tracing off nothing of it is loaded.',
    from: { path: ANY_OF_OURS, pathNot: '^src/infrastructure/tracing/' },
    to: {
      path: '^src/(infrastructure/tracing/|infrastructure/temporal/trace-temporal\\.ts$)',
      dependencyTypesNot: ['type-only', 'dynamic-import'],
    },
  },
  {
    name: 'prom-client-in-its-place',
    comment: 'Metrics are counted through their port; how Prometheus reads them is one adapter.',
    from: { pathNot: '^src/infrastructure/metrics/' },
    to: { path: 'node_modules/prom-client/' },
  },
  {
    name: 'offline-stands-alone',
    comment: 'The offline verifier is one file that people carry elsewhere, and shares no mistake with what it checks.',
    from: { path: '^src/offline/' },
    to: { dependencyTypesNot: ['core'] },
  },
  {
    name: 'monitor-page-is-outside',
    comment: 'The page runs in a browser: of ours it has its own folder, the contract and the pure domain.',
    from: { path: '^src/monitor/' },
    to: { path: ANY_OF_OURS, pathNot: '^src/(monitor|contract|domain/delivery)/' },
  },
  {
    name: 'monitor-page-takes-types',
    comment: 'The contract brings its schemas along. Only the verdict is nothing but a function.',
    from: { path: '^src/monitor/' },
    to: { path: '^src/contract/', pathNot: '^src/contract/verdict\\.ts$', dependencyTypesNot: ['type-only'] },
  },
  {
    name: 'nothing-imports-the-page',
    comment: 'The server serves what was built of it.',
    from: { path: ANY_OF_OURS, pathNot: '^src/monitor/' },
    to: { path: '^src/monitor/' },
  },
  {
    name: 'no-cycles',
    comment: 'A file that needs itself depends on who loads it first. Types are gone by then, so they may.',
    from: {},
    to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
  },
  {
    name: 'shipped-code-needs-no-development-package',
    comment:
      'devDependencies are not there at the user; neither is what package.json does not name. The page is built into dist.',
    from: { path: ANY_OF_OURS, pathNot: '^src/monitor/' },
    to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['type-only'] },
  },
  {
    name: 'every-import-resolves',
    comment: 'An import that the tool cannot follow is one that no rule above has seen.',
    from: {},
    to: { couldNotResolve: true },
  },
];
