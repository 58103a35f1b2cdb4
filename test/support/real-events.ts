/**
 * What becomes of each file of real events. Without `okta` and `github` every distinct line of the collection is one record: 133.
 *
 * - okta: upstream anonymised five different events with one uuid. The mapping `okta`, which knows that a uuid is the id,
 *   names four of them and refuses them; `default` takes no uuid for an id and loses nothing.
 * - github: the same; four of the five events have one `_document_id`.
 * - o365-message-trace: times without a zone, which the mapping knows to be UTC.
 * - windows-security: text in a JSON wrapper; seven have a local time without a zone, which is no time of their own, and
 *   one a time in UTC, which `default` cannot find in the text.
 */
export const EXPECTED_IMPORTS = [
  expectImport('aws-cloudtrail.ndjson', 'cloudtrail', { lines: 11, imported: 8, replayed: 3 }),
  expectImport('okta.ndjson', 'default', { lines: 6, imported: 6 }),
  expectImport('okta.ndjson', 'okta', { lines: 6, imported: 2, refused: 4 }),
  expectImport('github.ndjson', 'default', { lines: 5, imported: 5 }),
  expectImport('github.ndjson', 'github', { lines: 5, imported: 2, refused: 3 }),
  expectImport('windows-security.ndjson', 'default', { lines: 8, imported: 8, timeMissing: 8 }),
  expectImport('windows-security.ndjson', 'windows-security', { lines: 8, imported: 8, timeMissing: 7 }),
  expectImport('o365-messagetrace.ndjson', 'o365-message-trace', { lines: 9, imported: 9 }),
  expectImport('aws-eks-audit.ndjson', 'default', { lines: 2, imported: 1, replayed: 1 }),
  expectImport('aws-eks-audit.ndjson', 'kubernetes-audit', { lines: 2, imported: 1, replayed: 1 }),
  expectImport('aws-securityhub.ndjson', 'default', { lines: 4, imported: 4 }),
  expectImport('aws-waf.ndjson', 'default', { lines: 2, imported: 2 }),
  expectImport('aws-route53.ndjson', 'default', { lines: 4, imported: 1, replayed: 3 }),
  expectImport('falco.ndjson', 'default', { lines: 1, imported: 1 }),
  expectImport('zeek.ndjson', 'default', { lines: 12, imported: 11, replayed: 1 }),
  expectImport('zeek-dataset.ndjson', 'default', { lines: 77, imported: 77 }),
];

interface Counts {
  readonly lines: number;
  readonly imported: number;
  readonly replayed: number;
  readonly refused: number;
  readonly timeMissing: number;
}

function expectImport(file: string, mapping: string, counts: Partial<Counts>) {
  return { file, mapping, lines: 0, imported: 0, replayed: 0, refused: 0, timeMissing: 0, ...counts };
}
