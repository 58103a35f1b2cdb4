/**
 * Personal data that is told by its own look: e-mail addresses, IBANs and payment card numbers with their checksums, phone
 * numbers in international form. Digits inside of words, UUIDs, longer numbers and decimals are left alone, and so are IP
 * addresses: see docs/decisions/redaction.md. Every pattern has a bounded length.
 */
import { NEW_WORD } from './find-secrets.js';
import { isMasked, MASKED, type Span } from './mask.js';

const NO_WORD_AFTER = `(?![A-Za-z0-9_${MASKED}])`;

// ---- E-mail addresses ----------------------------------------------------------------------------------------------

/** From each @ (or %40) back over the name, which ends at the @ before it at the latest, and on over the domain. */
export function findEmails(text: string): Span[] {
  const spans: Span[] = [];
  const at = /@|%40/g;
  let floor = 0;
  for (let found = at.exec(text); found !== null; found = at.exec(text)) {
    const from = startOfLocal(text, found.index, floor);
    floor = at.lastIndex;
    const to = endOfDomain(text, floor);
    if (from === found.index || !isDomain(text.slice(floor, to))) continue;
    spans.push([from, to, 'email']);
    floor = to;
    at.lastIndex = to;
  }
  return spans;
}

function startOfLocal(text: string, end: number, floor: number): number {
  let from = end;
  while (from > floor && isLocalUnit(text, from - 1)) from--;
  // `\nada@…` in JSON: the n belongs to the escape.
  if (text.charAt(from - 1) === '\\' && /[bfnrt]/.test(text.charAt(from)) && from + 1 < end) from++;
  return from;
}

function isLocalUnit(text: string, index: number): boolean {
  const unit = text.charCodeAt(index);
  if (unit >= 0x80) return isLetterBeyondAscii(unit);
  const character = text.charAt(index);
  // O'Brien's, but not the quote that opens.
  if (character === "'") return index > 0 && /[A-Za-z]/.test(text.charAt(index - 1));
  return /[A-Za-z0-9._%+~!#$*-]/.test(character);
}

function endOfDomain(text: string, from: number): number {
  let to = from;
  while (to < text.length && (/[A-Za-z0-9.-]/.test(text.charAt(to)) || isLetterBeyondAscii(text.charCodeAt(to)))) to++;
  return to;
}

/** With a label of letters after a dot, which a version number (`undici@8.12.4`) has not. */
function isDomain(domain: string): boolean {
  const [, ...labels] = domain.split('.');
  return labels.some(
    (label) => /^[A-Za-z]{2,}$/.test(label) || (label !== '' && isLetterBeyondAscii(label.charCodeAt(0))),
  );
}

/** Roughly: neither spaces, punctuation, specials nor what is masked; halves of pairs belong together. */
function isLetterBeyondAscii(unit: number): boolean {
  if (unit < 0xc0 || isMasked(unit) || unit >= 0xfff0) return false;
  return (
    !(unit >= 0x2000 && unit <= 0x2bff) && !(unit >= 0x3000 && unit <= 0x303f) && !(unit >= 0xff00 && unit <= 0xff0f)
  );
}

// ---- IBANs ---------------------------------------------------------------------------------------------------------

/**
 * Exported, as the others below, for the test that holds every pattern to its form. ISO 13616. In capitals, as they are
 * written: hex ids are not.
 */
export const IBAN = new RegExp(`${NEW_WORD}[A-Z]{2}\\d{2}(?: ?[A-Z0-9]){11,30}`, 'g');

/** Lengths by country: the IBAN registry (SWIFT), release 99. */
const IBAN_LENGTHS: Readonly<Record<string, number>> = Object.fromEntries(
  [
    '15NO 16BE 18DK 18FI 18FO 18GL 18NL 18FK 19MK 19SI 20AT 20BA 20EE 20KZ 20LT 20LU 20XK 20MN 21CH 21HR 21LI 21LV',
    '22BG 22BH 22CR 22DE 22GB 22GE 22IE 22ME 22RS 22VA 23AE 23GI 23IL 23IQ 23OM 23SO 23TL 24AD 24CZ 24ES 24MD 24PK',
    '24RO 24SA 24SE 24SK 24TN 24VG 25LY 25PT 25ST 26IS 26TR 27BI 27DJ 27FR 27GR 27IT 27MC 27MR 27SM 28AL 28AZ 28BY',
    '28CY 28DO 28GT 28HU 28LB 28NI 28PL 28SD 29BR 29EG 29PS 29QA 29UA 30JO 30KW 30MU 30YE 31MT 31SC 32LC 33RU 28HN',
  ]
    .join(' ')
    .split(' ')
    .map((entry) => [entry.slice(2), Number(entry.slice(0, 2))]),
);

export function findIbans(text: string): Span[] {
  const spans: Span[] = [];
  const pattern = new RegExp(IBAN.source, IBAN.flags);
  for (let found = pattern.exec(text); found !== null; found = pattern.exec(text)) {
    const [candidate] = found;
    const taken = takeIban(candidate);
    const end = found.index + taken;
    if (taken > 0 && !isWordUnit(text.charCodeAt(end))) {
      spans.push([found.index, end, 'iban']);
      pattern.lastIndex = end;
    } else {
      pattern.lastIndex = found.index + 4;
    }
  }
  return spans;
}

/** How many characters of the candidate are an IBAN of its country, blanks between groups included; 0: none. */
function takeIban(candidate: string): number {
  const length = IBAN_LENGTHS[candidate.slice(0, 2)];
  if (length === undefined) return 0;
  let iban = '';
  for (let i = 0; i < candidate.length; i++) {
    if (candidate.charAt(i) !== ' ') iban += candidate.charAt(i);
    if (iban.length === length) return hasIbanChecksum(iban) ? i + 1 : 0;
  }
  return 0;
}

/** ISO 7064 MOD 97-10 over the number with its first four characters at the end, letters as 10 to 35. */
function hasIbanChecksum(iban: string): boolean {
  let rest = 0;
  for (const character of iban.slice(4) + iban.slice(0, 4)) {
    const value = Number.parseInt(character, 36);
    rest = (rest * (value > 9 ? 100 : 10) + value) % 97;
  }
  return rest === 1;
}

// ---- Payment cards -------------------------------------------------------------------------------------------------

/** Digits in one piece, or in the groups that are printed on cards, with one separator throughout. ISO/IEC 7812. */
export const CARD = new RegExp(
  `${NEW_WORD}(?<!\\d\\.)(?:\\d{14,19}|\\d{4}([ .\\u00a0-])\\d{4}\\1\\d{4}\\1\\d{4}(?:\\1\\d{3})?|\\d{4}([ .\\u00a0-])\\d{6}\\2\\d{4,5})${NO_WORD_AFTER}(?!\\.\\d)`,
  'g',
);

/** Prefixes and lengths of the large schemes: an order number that happens to pass Luhn mostly has neither. */
const SCHEMES = [
  /^4(?:\d{15}|\d{18})$/, // Visa
  /^(?=\d{16}$)(?:5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720)/, // Mastercard
  /^3[47]\d{13}$/, // American Express
  /^3(?:0[0-5]|[689]\d)\d{11}$/, // Diners
  /^(?:6011|64[4-9]\d|65\d\d)\d{12}(?:\d{3})?$/, // Discover
  /^35(?:2[89]|[3-8]\d)\d{12}$/, // JCB
  /^62\d{14,17}$/, // UnionPay
  /^(?:50|5[6-8]|6[37])\d{14,17}$/, // Maestro
];

export function findCards(text: string): Span[] {
  const spans: Span[] = [];
  const pattern = new RegExp(CARD.source, CARD.flags);
  for (let found = pattern.exec(text); found !== null; found = pattern.exec(text)) {
    const digits = found[0].replace(/\D/g, '');
    if (SCHEMES.some((scheme) => scheme.test(digits)) && passesLuhn(digits))
      spans.push([found.index, pattern.lastIndex, 'card number']);
    // The next number may begin with the second group of this one.
    else pattern.lastIndex = found.index + 4;
  }
  return spans;
}

/** ISO/IEC 7812-1, annex B. */
function passesLuhn(digits: string): boolean {
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    const digit = Number(digits.charAt(digits.length - 1 - i));
    const doubled = i % 2 === 1 ? digit * 2 : digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}

// ---- Phone numbers -------------------------------------------------------------------------------------------------

/** `+`, country code, 8 to 15 digits in all (E.164), separated as people do. Without the + it may be any number. */
export const PHONE = new RegExp(
  `(?:${NEW_WORD}\\+|%2[Bb])[1-9](?:[ ().\\u00a0/-]{0,2}\\d){7,14}(?!\\d)${NO_WORD_AFTER}`,
  'g',
);

export function findPhones(text: string): Span[] {
  return [...text.matchAll(PHONE)].map((found) => [found.index, found.index + found[0].length, 'phone']);
}

function isWordUnit(unit: number): boolean {
  return isMasked(unit) || /[A-Za-z0-9_]/.test(String.fromCharCode(unit));
}
