import type { Session } from '../../contract/monitor-api.js';

const NO_RECORDS =
  'You may not read records, which takes the scope audit:read, or the role viewer: the record and its proof are not shown';

type Reader = Pick<Session, 'may' | 'tenantId'>;

/** Which records a key does not read, in a sentence, though it is bound to no tenant; null: there are none such. */
export function whyNotAll({ may, tenantId }: Reader): string | null {
  if (tenantId !== null || may.readAnyTenant) return null;
  return 'Your key reads records without a tenant only: those of tenants, for audit:read:any-tenant, are not shown';
}

/** Why the record of an event of this tenant is not shown; null: it is. */
export function whyNoRecord(reader: Reader, tenantId: string | null): string | null {
  if (!reader.may.readRecords) return NO_RECORDS;
  return tenantId === null || tenantId === reader.tenantId ? null : whyNotAll(reader);
}
