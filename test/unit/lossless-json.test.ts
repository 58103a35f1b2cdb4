/** Reading JSON without losing digits. Pure. */
import fc from 'fast-check';
import { parseLossless } from '../../src/domain/delivery/lossless-json.js';

it('what JavaScript can hold is read as JSON.parse reads it', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = JSON.stringify(value);
      expect(parseLossless(text)).toEqual({ value: JSON.parse(text), numbersAsStrings: [] });
    }),
  );
});

it('an integer is a number exactly when it comes back as itself', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }), (n) => {
      const { value, numbersAsStrings } = parseLossless(`{"n":${n}}`);
      const kept = (value as { n: unknown }).n;
      if (typeof kept === 'string') expect([kept, numbersAsStrings]).toEqual([String(n), ['/n']]);
      else expect(integerOf(JSON.stringify(kept))).toBe(n);
    }),
  );
});

/** The integer that a number's text says, without going through a double. */
function integerOf(text: string): bigint {
  const [mantissa = '', exponent = '0'] = text.split('e');
  const [whole = '', fraction = ''] = mantissa.split('.');
  return BigInt(whole + fraction) * 10n ** BigInt(Number(exponent) - fraction.length);
}

it('more digits than a double has, and more than it reaches, are kept as their text', () => {
  const { value, numbersAsStrings } = parseLossless(
    '[0.1, 1.10, 1e2, -0, 0.1234567890123456789, 1e400, 9007199254740993]',
  );
  expect(value).toEqual([0.1, 1.1, 100, -0, '0.1234567890123456789', '1e400', '9007199254740993']);
  expect(numbersAsStrings).toEqual(['/4', '/5', '/6']);
});
