/**
 * The Standard Schema interface, version 1, repeated here so that core has no dependency.
 * Source: https://standardschema.dev
 */
export interface StandardSchemaV1<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>
    readonly types?: { readonly input: Input; readonly output: Output } | undefined
  }
}

export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] }

export interface SchemaIssue {
  readonly message: string
  readonly path?: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }> | undefined
}

/** What a schema accepts. */
export type SchemaInput<S extends StandardSchemaV1> = NonNullable<S['~standard']['types']>['input']
/** What a schema gives. */
export type SchemaOutput<S extends StandardSchemaV1> = NonNullable<S['~standard']['types']>['output']

/** A type without validation, for payloads that another boundary has checked. */
export function type<Payload>(): StandardSchemaV1<Payload, Payload> {
  return unchecked as StandardSchemaV1<Payload, Payload>
}

const unchecked: StandardSchemaV1 = {
  '~standard': { version: 1, vendor: 'evt', validate: (value) => ({ value }) },
}

/** Whether a schema is one of `type()`, which takes everything as it is. */
export function isUnchecked(schema: StandardSchemaV1): boolean {
  return schema === unchecked
}
