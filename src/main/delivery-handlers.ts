import { auditHandler } from '../application/delivery/handlers/audit-handler.js';
import { noteUnknownTypes } from '../application/delivery/note-unknown-types.js';
import type { Handler } from '../application/delivery/ports.js';
import type { RoleContext } from './role.js';

/** All that this process can deliver to, or ask (R18): the audit log where it has a key for it, and the configuration's. */
export function deliveryHandlers({ settings, config, log, counters }: RoleContext): readonly Handler[] {
  const own = config.handlers ?? [];
  if (settings.auditApiKey === undefined) return own;
  const audit = auditHandler({
    baseUrl: settings.auditUrl,
    apiKey: settings.auditApiKey,
    ...(config.mappers === undefined ? {} : { mappers: config.mappers }),
    ...(config.redaction === undefined ? {} : { redaction: config.redaction }),
    onUnknownType: noteUnknownTypes({ log, count: counters.count }),
  });
  return [audit, ...own];
}
