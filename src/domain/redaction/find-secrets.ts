/**
 * Secrets that are told by their own look: private keys, tokens of known makers, credentials after the name of a scheme
 * or inside a URL. Each pattern is a head of bounded length without choices to go back to; what follows it is taken by a
 * plain loop. So the work is linear in the text, whatever the text.
 */
import { isMasked, MASKED, type MaskKind, type Span } from './mask.js';

interface Rule {
  readonly kind: MaskKind;
  readonly head: RegExp;
  /** Where the secret ends, given where its head does; null: it is none after all. */
  readonly end: (text: string, from: number, headEnd: number) => number | null;
}

const NO_WORD_BEFORE = `(?<![A-Za-z0-9_${MASKED}])`;
/** `%20eyJ…`, `\\neyJ…`: what ends an escape is no word. */
export const NEW_WORD = `(?:${NO_WORD_BEFORE}|(?<=%[0-9A-Fa-f]{2})|(?<=\\\\[bfnrt]))`;

const while_ =
  (belongs: RegExp) =>
  (text: string, _from: number, headEnd: number): number => {
    let end = headEnd;
    while (end < text.length && belongs.test(text.charAt(end))) end++;
    return end;
  };

/**
 * Exported for the test that holds every head to its form. Sources: the makers' own documentation of their formats, and
 * RFC 7468 for keys, RFC 7519 for JWTs (any base64 text that begins as a JSON object is taken for one), RFC 3986 §3.2.1.
 */
export const SECRET_RULES: readonly Rule[] = [
  {
    kind: 'private key',
    head: /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY/g,
    end(text, _from, headEnd) {
      const footer = text.indexOf('-----END', headEnd);
      if (footer === -1) return text.length;
      const dashes = text.indexOf('-----', footer + 8);
      return dashes === -1 ? text.length : dashes + 5;
    },
  },
  { kind: 'token', head: new RegExp(`${NEW_WORD}eyJ[A-Za-z0-9_-]{10}`, 'g'), end: while_(/[A-Za-z0-9_.+/=-]/) },
  // Our own API keys (src/application/audit/api-key-text.ts).
  { kind: 'token', head: /tob_[a-z0-9]{8}_[A-Za-z0-9_-]{8}/g, end: while_(/[A-Za-z0-9_-]/) },
  { kind: 'token', head: new RegExp(`${NEW_WORD}A(?:KIA|SIA|BIA|CCA)[A-Z0-9]{16}`, 'g'), end: while_(/[A-Z0-9]/) },
  {
    kind: 'token',
    head: new RegExp(`${NEW_WORD}(?:gh[opsur]_|npm_|hf_|shp(?:at|ca|pa|ss)_|dop_v1_)[A-Za-z0-9]{16}`, 'g'),
    end: while_(/[A-Za-z0-9]/),
  },
  {
    kind: 'token',
    head: new RegExp(`${NEW_WORD}(?:github_pat_|glpat-|pypi-|lin_api_|sq0[ac][a-z]{2}-)[A-Za-z0-9_-]{16}`, 'g'),
    end: while_(/[A-Za-z0-9_-]/),
  },
  { kind: 'token', head: /xox[a-z](?:\.xox[a-z])?-[A-Za-z0-9-]{8}|xapp-[A-Za-z0-9-]{8}/g, end: while_(/[A-Za-z0-9-]/) },
  {
    kind: 'token',
    head: new RegExp(`${NEW_WORD}(?:[spr]k_(?:live|test)_|whsec_|sk-)[A-Za-z0-9_-]{16}`, 'g'),
    end: while_(/[A-Za-z0-9_+/=-]/),
  },
  {
    kind: 'token',
    head: new RegExp(`${NEW_WORD}(?:AIza|ya29\\.|SG\\.)[A-Za-z0-9_-]{16}`, 'g'),
    end: while_(/[A-Za-z0-9_.-]/),
  },
  { kind: 'token', head: /hooks\.slack\.com\/[a-z]{4,16}\//g, end: while_(/[A-Za-z0-9_/-]/) },
  { kind: 'credentials', head: /:\/\//g, end: endOfUserInfo },
];

/** Looked for after pairs: a header's value is more than the first word after the scheme. */
export const CREDENTIALS_RULE: Rule = {
  kind: 'token',
  head: new RegExp(`${NEW_WORD}(?:bearer|basic|digest|token|apikey|negotiate)(?:[ \\t]|%20|\\+){1,3}`, 'gi'),
  end: endOfCredentials,
};

export function findSecrets(text: string, { kind, head, end }: Rule): Span[] {
  const spans: Span[] = [];
  // Clones, since a shared lastIndex would not survive a call from inside a call.
  const pattern = new RegExp(head.source, head.flags);
  for (let found = pattern.exec(text); found !== null; found = pattern.exec(text)) {
    const headEnd = found.index + found[0].length;
    const to = end(text, found.index, headEnd);
    if (to === null) continue;
    // What names the scheme stays readable: `Bearer …`, `https://…@host`, `hooks.slack.com/services/…`.
    const from = /[A-Za-z0-9_-]$/.test(found[0]) ? found.index : headEnd;
    if (to > from) spans.push([from, to, kind]);
    pattern.lastIndex = Math.max(to, headEnd);
  }
  return spans;
}

const MOST_AUTHORITY = 1_024;

/** `user:password@` or `token@`, up to the last @ before the path: passwords with a bare @ in them exist. */
function endOfUserInfo(text: string, _from: number, headEnd: number): number | null {
  let at = -1;
  for (let i = headEnd; i < text.length && i < headEnd + MOST_AUTHORITY; i++) {
    const character = text.charAt(i);
    if (/[\s/?#"'<>\\]/.test(character)) break;
    if (character === '@') at = i;
  }
  return at === -1 || allMasked(text, headEnd, at) ? null : at;
}

/** A word of prose after the scheme ("Bearer authentication is required") is none. */
function endOfCredentials(text: string, _from: number, headEnd: number): number | null {
  const end = while_(/[A-Za-z0-9._~+/=%-]/)(text, headEnd, headEnd);
  const value = text.slice(headEnd, end);
  return value.length >= 20 || (value.length >= 6 && /[^a-z]/.test(value.slice(1).replace(/\.$/, ''))) ? end : null;
}

function allMasked(text: string, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (!isMasked(text.charCodeAt(i))) return false;
  return true;
}
