import type { StandardSchemaV1 } from './standard-schema.ts'

/** Reads one older version of a payload as something the current schema accepts. */
export interface Upcaster<To> {
  readonly from: number
  readonly schema: StandardSchemaV1
  readonly migrate: (old: never) => To
}

/** An upcaster from version `from`: its payload is validated by `schema`, then migrated. */
export function upcast<Old, To>(
  from: number,
  schema: StandardSchemaV1<unknown, Old> | StandardSchemaV1<never, Old>,
  migrate: (old: Old) => To,
): Upcaster<To> {
  return { from, schema: schema as StandardSchemaV1, migrate }
}
