/** A canary as it stands, in hex, and inside of base64, wherever it begins there. */
export function canaryForms(canary: string): readonly string[] {
  const bytes = Buffer.from(canary);
  return [canary, bytes.toString('hex'), ...[0, 1, 2].map((offset) => insideBase64(canary, offset))];
}

/** What of the base64 of a longer text is the canary's alone, where it begins so many bytes behind a multiple of three. */
function insideBase64(canary: string, offset: number): string {
  const length = offset + Buffer.byteLength(canary);
  const whole = Buffer.from('x'.repeat(offset) + canary).toString('base64');
  return whole.slice(Math.ceil((offset * 8) / 6), Math.floor((length * 8) / 6));
}
