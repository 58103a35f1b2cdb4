import { createHash, randomBytes } from 'node:crypto';

/** Texts that sign somebody in once, as an API key. */
export interface SignInLinks {
  /** 32 random bytes in base64url; nobody can read it again. */
  make(keyId: string): string;
  /** The key that it is of, while it holds. */
  find(text: string): string | null;
  /** Whether it held, which it does not any more. */
  use(text: string): boolean;
}

const LIFE_MS = 60 * 60_000;
/** The oldest ones go. */
const AT_ONCE = 100;

/** In the memory of this process, by their SHA-256: each holds for an hour and works once, and a restart forgets them. */
export function createSignInLinks(clock: () => number = () => performance.now()): SignInLinks {
  const links = new Map<string, { readonly keyId: string; readonly until: number }>();
  const standing = (text: string) => {
    const link = links.get(digest(text));
    return link !== undefined && link.until > clock() ? link : null;
  };
  return {
    make(keyId) {
      const text = randomBytes(32).toString('base64url');
      const [oldest] = links.keys();
      if (oldest !== undefined && links.size >= AT_ONCE) links.delete(oldest);
      links.set(digest(text), { keyId, until: clock() + LIFE_MS });
      return text;
    },
    find: (text) => standing(text)?.keyId ?? null,
    use(text) {
      const held = standing(text) !== null;
      links.delete(digest(text));
      return held;
    },
  };
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
