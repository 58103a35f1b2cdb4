import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import { AUDIT_LIMITS, type AuditEvent, type FieldProblem } from '../../contract/audit-dto.js';
import { actionKeys } from '../../contract/ingest-config.js';
import { joinPointer } from '../../contract/json-value.js';

/** Schemas that do not compile, one problem each: the operator's to mend before anything is taken. */
export class EventSchemaError extends Error {
  override readonly name = 'EventSchemaError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.problems = problems;
  }
}

/**
 * Compiles every schema once (ajv, draft 2020-12, strict, so that a mistyped keyword is told and not passed over; `format`
 * is an annotation, as the draft has it by default). The check names what does not fit by pointers below /data; it quotes no
 * value that was sent.
 * @throws EventSchemaError
 */
export function compileEventSchemas(
  schemas: Readonly<Record<string, object>>,
): (event: AuditEvent) => readonly FieldProblem[] {
  const compiled = new Map<string, ValidateFunction>();
  const problems: string[] = [];
  for (const [key, schema] of Object.entries(schemas)) {
    try {
      compiled.set(key, compile(schema));
    } catch (error) {
      problems.push(`ingest.schemas["${key}"]: does not compile: ${(error as Error).message}`);
    }
  }
  if (problems.length > 0) throw new EventSchemaError(problems);
  return (event) => {
    const [versioned, plain] = actionKeys(event);
    const validate = compiled.get(versioned) ?? compiled.get(plain);
    if (validate === undefined || validate(event.data ?? {})) return [];
    return (validate.errors ?? []).slice(0, AUDIT_LIMITS.problems).map(toFieldProblem);
  };
}

/** Each by an instance of its own: two schemas may have one $id, or definitions of the same name. */
function compile(schema: object): ValidateFunction {
  const ajv = new Ajv2020({
    allErrors: true,
    strictTypes: false,
    strictTuples: false,
    validateFormats: false,
    logger: false,
  });
  const validate = ajv.compile(schema);
  if ('$async' in validate) throw new Error('expected a schema that answers at once, got $async');
  return validate;
}

/** Longer ones are cut to the nearest ancestor: keys are the sender's, and must not come back a hundred times. */
const LONGEST_POINTER = 512;

function toFieldProblem({ instancePath, keyword, params, message }: ErrorObject): FieldProblem {
  const named = { additionalProperties: params.additionalProperty, unevaluatedProperties: params.unevaluatedProperty };
  const property = keyword === 'required' ? params.missingProperty : named[keyword as keyof typeof named];
  const whole = `/data${property === undefined ? instancePath : joinPointer(instancePath, String(property))}`;
  const cut = whole.slice(0, LONGEST_POINTER);
  const pointer = whole.length <= LONGEST_POINTER ? whole : cut.slice(0, cut.lastIndexOf('/'));
  // Ajv's messages hold what the schema says and nothing of the data.
  return { pointer, detail: `Does not fit the schema of the action: ${message ?? keyword}` };
}
