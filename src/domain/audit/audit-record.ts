/** Where a record came in: our own outbox, imports by it included (a scope of the API key, never a header), or another caller. */
export type RecordVia = 'outbox' | 'api';

/** One record of the audit log. Written once, never changed. */
export interface AuditRecord {
  /** UUIDv7, the server's own. */
  readonly recordId: string;
  /** The server's clock: RFC 3339, UTC, milliseconds. */
  readonly recordedAt: string;
  /** The empty string where there is no tenant. */
  readonly tenantId: string;
  readonly via: RecordVia;
  /** Which API key wrote it. */
  readonly keyId: string;
  readonly leafVersion: 1;
  /** 16 random bytes in hex: without them a leaf's hash would let anyone test guesses about its content. */
  readonly salt: string;
  /** The event of DTO v1 as it was sent, without its content hash and what was redacted. */
  readonly event: Readonly<Record<string, unknown>>;
}
