/** What the values of settings must look like, and what they become. */
import { z } from 'zod';
import { NoteKeyError } from '../../domain/audit/note-key.js';

export const databaseUrl = z
  .string()
  .refine(
    (text) => /^postgres(ql)?:\/\//.test(text) && URL.canParse(text),
    'expected postgresql://user:password@host:port/database',
  );

export const httpUrl = z
  .string()
  .refine((text) => /^https?:\/\//.test(text) && URL.canParse(text), 'expected an http:// or https:// URL');

export const whole = (minimum: number, maximum: number) =>
  z
    .string()
    .refine(
      (text) => /^\d{1,9}$/.test(text) && Number(text) >= minimum && Number(text) <= maximum,
      `expected a whole number from ${minimum} to ${maximum}`,
    )
    .transform(Number);

export const fingerprintKeys = z
  .string()
  .refine(
    (text) => text.split(',').every((part) => /^[A-Za-z0-9_-]{1,40}:(?:[0-9a-f]{2}){32,}$/i.test(part.trim())),
    'expected id:hex[,id:hex…], each secret at least 64 hex digits (openssl rand -hex 32)',
  )
  .refine((text) => {
    const ids = text.split(',').map((part) => part.trim().split(':')[0]);
    return new Set(ids).size === ids.length;
  }, 'expected different ids')
  .transform((text) => {
    const keys = text.split(',').map((part) => {
      const [id = '', secret = ''] = part.trim().split(':');
      return { id, secret };
    });
    return keys as [FingerprintKey, ...FingerprintKey[]]; // the refinement above saw at least one
  });

export const secretKey = z
  .string()
  .regex(/^[0-9a-f]{64}$/i, 'expected 64 hex digits (openssl rand -hex 32)')
  .transform((text) => new Uint8Array(Buffer.from(text, 'hex')));

export interface FingerprintKey {
  readonly id: string;
  readonly secret: string;
}

/** Keys separated by commas, each read by `parse`. What is said of a wrong one holds nothing of it. */
export const noteKeys = <Key>(parse: (text: string) => Key) =>
  z.string().transform((text, context) => {
    try {
      return text.split(',').map((part) => parse(part.trim()));
    } catch (error) {
      if (!(error instanceof NoteKeyError)) throw error;
      context.addIssue({ code: 'custom', message: error.message });
      return z.NEVER;
    }
  });
