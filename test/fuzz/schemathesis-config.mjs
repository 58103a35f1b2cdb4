/** schemathesis.toml: all checks, with what a schema cannot say, and ids of things that are there to find. */
export function schemathesisConfig({ letters, failed }) {
  const list = (values) => JSON.stringify(values);
  const idsFrom = (dictionary, paths) =>
    paths.map(
      (path) => `
[[operations]]
include-path = ${JSON.stringify(path)}
parameters = { "path.id" = { dictionary = "${dictionary}", probability = 0.7 } }
`,
    );
  return `
# A JSON Schema cannot say that a string holds no U+0000, that an identity stands with other content, or that a whole
# event has at most 64 KiB: such requests fit the schema, and are answered 422 or 413.
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "304", "401", "403", "404", "409", "413", "422", "429"]

# What does not fit may be too long before it is anything else.
[checks.negative_data_rejection]
expected-statuses = ["400", "401", "403", "404", "405", "409", "413", "414", "415", "422", "429", "431"]

# Nor that what may hold any JSON holds no key that reaches for a prototype, and nothing 33 levels deep.
[[operations]]
include-operation-id = "editDeadLetterPayload"
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "401", "403", "404", "409", "413", "422"]

# Nor that a body may be left out, or be of any type +json, only where headers hold a CloudEvent's attributes.
[[operations]]
include-operation-id = "recordAuditEvents"
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "401", "403", "413", "415", "422"]

# Nor that a text to search for needs a time beside it, a code to be one of ours, or a year to have a one or a two in front.
[[operations]]
include-operation-id = ["listDeadLetters", "listFailedIngest"]
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "401", "403"]

# Most times that fit the schema are further ahead than the server takes.
[[operations]]
include-operation-id = "recordAuditEvents"
parameters = { "body.occurredAt" = { dictionary = "times", probability = 0.9 } }

[dictionaries.times]
values = ["2026-01-02T03:04:05Z", "2020-02-29T23:59:59.999999999-23:59", "0001-01-02T00:00:00+00:00"]

[dictionaries.letters]
values = ${list(letters)}

[dictionaries.failed]
values = ${list(failed)}
${[
  ...idsFrom('letters', [
    '/ops/v1/dead-letters/{id}',
    '/ops/v1/dead-letters/{id}/payload',
    '/ops/v1/dead-letters/{id}/redrive',
    '/ops/v1/dead-letters/{id}/discard',
  ]),
  ...idsFrom('failed', [
    '/ops/v1/failed-ingest/{id}',
    '/ops/v1/failed-ingest/{id}/retry',
    '/ops/v1/failed-ingest/{id}/discard',
  ]),
].join('')}`;
}
