import { z } from 'zod';

/** A time that an operator asks with, of any zone. As UTC, since PostgreSQL knows no zone beyond 15:59. */
export const operatorTimeSchema = z.iso
  .datetime({ offset: true, error: 'Expected a time like 2026-11-23T18:00:00Z' })
  .regex(/^[12]\d{3}-/, { error: 'Expected a year from 1000 to 2999' })
  .transform((text) => new Date(text).toISOString());
