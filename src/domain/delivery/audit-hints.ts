/**
 * What a producer knows about an event's audit record, under `headers.audit`: each field that is present takes the place
 * of what the mapper would derive from eventName, eventType, aggregate and headers. So an event is self-describing, and a
 * foreign format needs no change of mapper or ingest. The limits are the audit DTO's; the import checks them before it
 * appends, other producers are checked when their event is mapped.
 */
export interface AuditHints {
  /** 2 to 6 lower-case words joined by dots: `aws.iam.create_user`. */
  readonly action?: string;
  readonly actionVersion?: number;
  readonly category?:
    | 'authentication'
    | 'authorization'
    | 'iam'
    | 'data'
    | 'configuration'
    | 'billing'
    | 'integration'
    | 'system'
    | 'other';
  readonly operation?: 'create' | 'read' | 'update' | 'delete' | 'execute' | 'login' | 'logout' | 'other';
  readonly outcome?: 'success' | 'failure' | 'denied' | 'unknown';
  readonly outcomeReason?: string;
  readonly severity?: 'info' | 'low' | 'medium' | 'high' | 'critical';
  readonly actor?: AuditHintActor;
  /** Replaces the target made from the aggregate. */
  readonly targets?: readonly AuditHintTarget[];
  /** Merged over the context that the mapper makes (traceparent, correlationId). */
  readonly context?: {
    readonly ip?: string;
    readonly userAgent?: string;
    readonly location?: string;
    readonly requestId?: string;
    readonly correlationId?: string;
  };
  /** Merged over the metadata that the mapper makes. */
  readonly metadata?: Readonly<Record<string, string | number | boolean>>;
}

export interface AuditHintActor {
  readonly type: 'user' | 'service' | 'system' | 'apiKey' | 'anonymous';
  /** Absent only where the type is `anonymous`. */
  readonly id?: string;
  readonly name?: string;
  readonly sessionId?: string;
  readonly metadata?: Readonly<Record<string, string | number | boolean>>;
}

export interface AuditHintTarget {
  readonly type: string;
  readonly id: string;
  readonly name?: string;
  readonly metadata?: Readonly<Record<string, string | number | boolean>>;
}
