import { definitionOf, SETTING_KEYS, type SettingsUser, variableOf } from './settings.js';

const HEADER = `# Every setting of temporal-outbox, made by config/write-env-example.ts from src/infrastructure/config/settings.ts.
# What stands commented out has the default shown, or none, and no running role needs it. An OUTBOX_ or AUDIT_ variable that is not here is
# refused.
# Temporal's own are read by @temporalio/envconfig: TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_API_KEY, TEMPORAL_TLS_…
# OpenTelemetry's own (OTEL_…) are read where OUTBOX_TRACES=on (docs/tracing.md).
`;

const COLUMNS = 120;
const ROLES: readonly SettingsUser[] = ['api', 'relay', 'worker'];

/** The text of `.env.example`: what some role does not start without in the open, all else commented out. */
export function renderEnvExample(): string {
  const entries = SETTING_KEYS.flatMap((key) => {
    const { describe, fallback, requiredBy = [], hidden } = definitionOf(key);
    if (hidden) return [];
    const needed = requiredBy.length === 0 ? '' : ` Needed by: ${requiredBy.join(', ')}.`;
    const line =
      fallback === undefined && requiredBy.some((user) => ROLES.includes(user))
        ? `${variableOf(key)}=`
        : `# ${variableOf(key)}=${fallback ?? ''}`;
    return [`${wrap(describe + needed)}\n${line}\n`];
  });
  return [HEADER, ...entries].join('\n');
}

function wrap(text: string): string {
  const lines: string[] = [];
  let line = '#';
  for (const word of text.split(' ')) {
    if (line.length + word.length + 1 > COLUMNS) {
      lines.push(line);
      line = '#';
    }
    line += ` ${word}`;
  }
  return [...lines, line].join('\n');
}
