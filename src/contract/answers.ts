import { z } from 'zod';

/** What a route answers with, as a schema says it: `res.json(x satisfies AnswerOf<typeof schema>)`. */
export type AnswerOf<Schema extends z.ZodType> = DeepReadonly<z.infer<Schema>>;

type DeepReadonly<T> = T extends readonly (infer Item)[]
  ? readonly DeepReadonly<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: DeepReadonly<T[Key]> }
    : T;

/** RFC 3339. */
export const timeSchema = z.iso.datetime({ offset: true });
/** Any UUID: producers in SQL make some that are of no version (md5(x)::uuid). */
export const anyUuidSchema = z.guid();
/** An HTTP status. */
export const statusSchema = z.int().min(0).max(999);
