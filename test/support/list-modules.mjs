// For `--import`: writes every OpenTelemetry package and every part of ours for tracing that the process loads to the file that
// OUTBOX would not know: TEST_MODULE_LIST.
import { appendFileSync } from 'node:fs';
import { registerHooks } from 'node:module';

const WATCHED =
  /node_modules\/(@opentelemetry\/[^/]+|@temporalio\/interceptors-opentelemetry-v2)\/|(infrastructure\/tracing)\//;
const seen = new Set();

registerHooks({
  load(url, context, next) {
    const [, name, own] = WATCHED.exec(url) ?? [];
    const found = name ?? own;
    if (found !== undefined && !seen.has(found)) {
      seen.add(found);
      appendFileSync(process.env.TEST_MODULE_LIST, `${found}\n`);
    }
    return next(url, context);
  },
});
