import { type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf'
import { invalidOption } from '@evt/core'

/** How a field stands on the wire. Source: https://protobuf.dev/programming-guides/encoding */
export interface FieldShape {
  readonly wireType: number
  /** The wire type of one element, where many may stand in one length-delimited record. */
  readonly packed: number | undefined
  /** The message inside, a map's entry included. */
  readonly child: MessageShape | undefined
  /** Whether it becomes the name of a property. */
  readonly isTextKey: boolean
}
export type MessageShape = ReadonlyMap<number, FieldShape>

export const varint = 0
export const bit64 = 1
export const delimited = 2
export const bit32 = 5

/** The shape of a message and of all messages in it. Throws `EVT_OPTION_INVALID` for groups, which nobody writes any more. */
export function messageShape(schema: DescMessage, known: Map<DescMessage, MessageShape> = new Map()): MessageShape {
  const found = known.get(schema)
  if (found !== undefined) return found
  const shape = new Map<number, FieldShape>()
  // Before its fields: messages may contain themselves.
  known.set(schema, shape)
  for (const field of schema.fields) shape.set(field.number, fieldShape(field, known))
  return shape
}

function fieldShape(field: DescField, known: Map<DescMessage, MessageShape>): FieldShape {
  if ('delimitedEncoding' in field && field.delimitedEncoding)
    throw invalidOption('schema', `the field "${field.name}" is a group, which this codec does not read`)
  if (field.fieldKind === 'map') {
    const key = { ...plain(wireTypeOf(field.mapKey)), isTextKey: field.mapKey === ScalarType.STRING }
    return { ...plain(delimited), child: new Map([[1, key] as const, [2, valueShape(field, known)] as const]) }
  }
  const value = valueShape(field, known)
  const canBePacked = field.fieldKind === 'list' && value.wireType !== delimited
  return canBePacked ? { ...value, packed: value.wireType } : value
}

function valueShape(field: DescField, known: Map<DescMessage, MessageShape>): FieldShape {
  if (field.message !== undefined) return { ...plain(delimited), child: messageShape(field.message, known) }
  return plain(field.scalar === undefined ? varint : wireTypeOf(field.scalar))
}

function plain(wireType: number): FieldShape {
  return { wireType, packed: undefined, child: undefined, isTextKey: false }
}

function wireTypeOf(scalar: ScalarType): number {
  switch (scalar) {
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return bit64
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return bit32
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return delimited
    default:
      return varint
  }
}
