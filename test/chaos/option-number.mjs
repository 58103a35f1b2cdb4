import { InvalidArgumentError } from 'commander';

/** For an option of a command line: a number in these bounds, or a sentence. */
export function number(least, most, whole = true) {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && value >= least && value <= most && (!whole || Number.isInteger(value))) return value;
    throw new InvalidArgumentError(`expected a ${whole ? 'whole ' : ''}number from ${least} to ${most}, got "${text}"`);
  };
}
