/** Stands where JSON would lose or refuse a value; no schema accepts it. */
export interface NotJson<Value> {
  readonly '~notJson': Value
}
/** What already is JSON: the short cut that keeps recursive types from being walked. */
type Json = string | number | boolean | null | undefined | readonly Json[] | { readonly [name: string]: Json }
type Unserializable = bigint | symbol | ((...values: never[]) => unknown)
type Opaque = ReadonlyMap<unknown, unknown> | ReadonlySet<unknown> | ArrayBufferView

/** The type that a value of `Value` has after JSON. */
export type Wire<Value> = unknown extends Value
  ? Value
  : Value extends Json
    ? Value
    : Value extends { toJSON(): infer Written }
      ? Written
      : Value extends Unserializable | Opaque
        ? NotJson<Value>
        : { [Field in keyof Value]: Wire<Value[Field]> }

/** Nothing where a schema accepts its own output after JSON, otherwise a sentence that no schema is. */
export type SurvivesWire<Input, Payload> = [Wire<Payload>] extends [Input]
  ? unknown
  : 'This schema refuses its own output after JSON: let it accept the wire form, such as z.coerce.date(), or give the event a codec'
