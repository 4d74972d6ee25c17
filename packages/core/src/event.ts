import { type Codec, jsonCodec } from './codec.ts'
import type { Message, MessageOptions } from './message.ts'
import { makeMessage } from './message.ts'
import { checkName } from './names.ts'
import { checkFunction, checkKnown, checkMethods, invalidOption, wholeNumber } from './options.ts'
import type { SchemaInput, SchemaOutput, StandardSchemaV1 } from './standard-schema.ts'
import type { Upcaster } from './upcast.ts'
import type { SurvivesWire } from './wire-type.ts'

type Illegal = ' ' | '\n' | '\r' | '\t' | '*' | '>' | '..' | '/'
/** The name itself, or a sentence that says what is wrong with it. */
export type EventName<Name extends string> = Name extends ''
  ? 'An event needs a name'
  : Name extends `${string}${Illegal}${string}`
    ? `"${Name}" is no event name: use letters, digits, "_", "-" and single dots`
    : Name

/** An event whose schema parses: what is published (`Input`) differs from what arrives (`Payload`). */
export interface ParsedEventDefinition<Name extends string = string, Payload = unknown, Input = Payload> {
  readonly name: Name
  /** Version of the payload that this code writes. */
  readonly version: number
  readonly description: string | undefined
  /** Payload fields that logs and dashboards leave out. */
  readonly sensitive: readonly string[]
  readonly schema: StandardSchemaV1<Input, Payload>
  /** A message of this event, not yet published: return it from a handler or hand it to `publishMany`. */
  of(payload: Input, options?: MessageOptions): Message<Name>
  /** What the bus needs and nobody else. */
  readonly '~event': EventInternals
}
/** A named, typed kind of fact. Holds no state; share it between services. */
export interface EventDefinition<Name extends string = string, Payload = unknown>
  extends ParsedEventDefinition<Name, Payload, Payload> {}

export interface EventInternals {
  readonly keyOf: ((payload: never) => string) | undefined
  readonly codec: Codec
  readonly upcasters: ReadonlyMap<number, Upcaster<unknown>>
  /** Set on what `discard` returns: the event whose messages go nowhere. */
  readonly discards?: AnyEvent | undefined
}

/** Any event, for constraints. */
export type AnyEvent = ParsedEventDefinition<string, unknown, unknown>
export type PayloadOf<E extends AnyEvent> =
  E extends ParsedEventDefinition<string, infer Payload, infer _> ? Payload : never
export type InputOf<E extends AnyEvent> = E extends ParsedEventDefinition<string, infer _, infer Input> ? Input : never
export type EventGroup = Readonly<Record<string, AnyEvent>>

export interface EventOptions<Payload, Input = Payload> {
  /** Ordering and partition key. Default: none. */
  readonly key?: ((payload: Payload) => string) | undefined
  /** Version of the payload this code writes. Default 1. */
  readonly version?: number | undefined
  /** How to read older versions. */
  readonly upcasters?: readonly Upcaster<NoInfer<Input>>[] | undefined
  /** Payload fields that logs and dashboards leave out. Default: none. */
  readonly sensitive?: readonly string[] | undefined
  readonly description?: string | undefined
}
type Same<Left, Right> = [Left] extends [Right] ? ([Right] extends [Left] ? true : false) : false
/** The simpler definition where input and output agree. */
export type Defined<Name extends string, Payload, Input> =
  Same<Input, Payload> extends true ? EventDefinition<Name, Payload> : ParsedEventDefinition<Name, Payload, Input>

const known = ['schema', 'key', 'version', 'upcasters', 'sensitive', 'description', 'codec']

/**
 * Defines an event: name, schema (any Standard Schema) and options. Throws `EVT_NAME_INVALID`, `EVT_OPTION_UNKNOWN` or
 * `EVT_OPTION_INVALID`.
 */
export function defineEvent<const Name extends string, Input, Payload>(
  name: EventName<Name>,
  definition: EventOptions<Payload, Input> & {
    readonly schema: StandardSchemaV1<Input, Payload>
    readonly codec: Codec
  },
): Defined<Name, Payload, Input>
export function defineEvent<const Name extends string, Input, Payload>(
  name: EventName<Name>,
  definition: EventOptions<Payload, Input> & {
    readonly schema: StandardSchemaV1<Input, Payload> & SurvivesWire<Input, Payload>
    readonly codec?: undefined
  },
): Defined<Name, Payload, Input>
export function defineEvent(
  name: string,
  definition: EventOptions<never, unknown> & { readonly schema: StandardSchemaV1; readonly codec?: Codec | undefined },
): ParsedEventDefinition {
  checkName('event', name)
  checkKnown(`Event "${name}"`, definition, known)
  if (typeof definition.schema?.['~standard']?.validate !== 'function') {
    throw invalidOption(
      'schema',
      'expected a Standard Schema, such as a zod, valibot or arktype schema, or type<Payload>()',
    )
  }
  if (definition.sensitive !== undefined && !Array.isArray(definition.sensitive))
    throw invalidOption('sensitive', 'expected a list of names of fields')
  if (definition.key !== undefined) checkFunction('key', definition.key)
  if (definition.codec !== undefined) checkMethods('codec', definition.codec, ['encode', 'decode'])
  const version = wholeNumber('version', definition.version, { min: 1, default: 1 })
  const event: ParsedEventDefinition = {
    name,
    version,
    description: definition.description,
    sensitive: definition.sensitive ?? [],
    schema: definition.schema,
    of: (payload, options) => makeMessage(event, payload, options),
    '~event': {
      keyOf: definition.key,
      codec: definition.codec ?? jsonCodec,
      upcasters: upcastersOf(definition.upcasters ?? [], version),
    },
  }
  return Object.freeze(event)
}

function upcastersOf(list: readonly Upcaster<unknown>[], version: number): ReadonlyMap<number, Upcaster<unknown>> {
  if (!Array.isArray(list)) throw invalidOption('upcasters', 'expected a list of what upcast returns')
  const upcasters = new Map<number, Upcaster<unknown>>()
  for (const upcaster of list as readonly Upcaster<unknown>[]) {
    checkFunction('upcasters.migrate', upcaster?.migrate)
    const from = wholeNumber('upcasters.from', upcaster.from, { min: 1, max: version - 1, default: 0 })
    if (upcasters.has(from)) throw invalidOption('upcasters', `version ${from} has two`)
    upcasters.set(from, upcaster)
  }
  return upcasters
}

/** Several events under one prefix: `defineEvents('order', { created: { … } }).created.name` is `order.created`. */
export function defineEvents<const Prefix extends string, Schemas extends Readonly<Record<string, StandardSchemaV1>>>(
  prefix: EventName<Prefix>,
  definitions: {
    readonly [Name in keyof Schemas]: EventOptions<SchemaOutput<Schemas[Name]>, SchemaInput<Schemas[Name]>> & {
      readonly schema: Schemas[Name] & SurvivesWire<SchemaInput<Schemas[Name]>, SchemaOutput<Schemas[Name]>>
    }
  },
): {
  readonly [Name in keyof Schemas & string]: Defined<
    `${Prefix}.${Name}`,
    SchemaOutput<Schemas[Name]>,
    SchemaInput<Schemas[Name]>
  >
}
export function defineEvents(
  prefix: string,
  definitions: Readonly<Record<string, { readonly schema: StandardSchemaV1 }>>,
): object {
  const define = defineEvent as (name: string, definition: object) => AnyEvent
  if (typeof definitions !== 'object' || definitions === null)
    throw invalidOption('definitions', 'expected an object of event definitions')
  return Object.fromEntries(
    Object.entries(definitions).map(([name, definition]) => [name, define(`${prefix}.${name}`, definition)]),
  )
}
