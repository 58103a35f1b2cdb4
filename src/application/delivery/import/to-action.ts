/**
 * Any text as an action name (2 to 6 lower-case words joined by dots, at most 124 characters, so that `.v1` still fits an
 * event name): `aws.iam.CreateUser` → `aws.iam.create_user`, `SMB::FILE_OPEN` → `smb.file_open`, `BLOCK` → `event.block`.
 */
export function toAction(text: string): string {
  const words = text
    .slice(0, 256)
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/([A-Z]+)([A-Z][a-z])/g, '$1_$2')
    .toLowerCase()
    .split(/[.:/\\]+/)
    .map((word) => word.replace(/[^a-z0-9]+/g, '_').replace(/^_+|_+$/g, ''))
    .filter((word) => word !== '');
  const first = (words[0] ?? '').replaceAll('_', '');
  const named = words.length >= 2 && /^[a-z]/.test(first) ? [first, ...words.slice(1)] : ['event', ...words];
  if (named.length === 1) named.push('imported');
  const six = named.length > 6 ? [...named.slice(0, 5), named.slice(5).join('_')] : named;
  return six.join('.').slice(0, 124).replace(/\.+$/, '');
}
