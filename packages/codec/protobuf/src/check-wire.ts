import { bit32, bit64, delimited, type FieldShape, type MessageShape, varint } from './message-shape.ts'

const maxDepth = 64

export interface WireLimits {
  readonly maxValues: number
  readonly refuseUnknown: boolean
}

/**
 * Throws unless bytes are a message of that shape which is safe to build: every record whole and inside its message, every
 * known field of its own wire type, at most 64 levels and `maxValues` values, no map key `__proto__`. The library reads a
 * field of another wire type as if it were its own, and goes on in the middle of a record.
 */
export function checkWire(root: MessageShape, bytes: Uint8Array, limits: WireLimits): void {
  const shapes = [root]
  const ends = [bytes.length]
  let depth = 0
  let end = bytes.length
  let values = 0
  let at = 0

  const count = (): void => {
    values += 1
    if (values > limits.maxValues) throw new Error(`it holds more than ${limits.maxValues} values`)
  }
  const skip = (size: number): void => {
    if (size > end - at) throw new Error('a record is longer than what holds it')
    at += size
  }
  const skipVarint = (): void => {
    for (let size = 1; size <= 10; size += 1) {
      if (at >= end) throw new Error('it ends in the middle of a varint')
      at += 1
      if (bytes[at - 1]! < 0x80) return
    }
    throw new Error('a varint has more than 10 bytes')
  }
  const unsigned32 = (): number => {
    let value = 0
    for (let factor = 1; ; factor *= 128) {
      if (at >= end) throw new Error('it ends in the middle of a varint')
      const byte = bytes[at]!
      at += 1
      value += (byte & 0x7f) * factor
      if (value > 0xffff_ffff || factor > 128 ** 4) throw new Error('a tag or length is out of range')
      if (byte < 0x80) return value
    }
  }
  const skipValue = (wireType: number): void => {
    if (wireType === varint) skipVarint()
    else if (wireType === bit64) skip(8)
    else if (wireType === bit32) skip(4)
    else throw new Error(`wire type ${wireType}`)
  }
  const elements = (wireType: number, size: number): void => {
    const outer = end
    if (size > end - at) throw new Error('a record is longer than what holds it')
    end = at + size
    while (at < end) {
      count()
      skipValue(wireType)
    }
    end = outer
  }
  const record = (field: FieldShape | undefined, wireType: number): void => {
    if (wireType !== delimited) return skipValue(wireType)
    const size = unsigned32()
    if (field?.packed !== undefined) return elements(field.packed, size)
    if (field?.isTextKey && isPrototype(bytes, at, size)) throw new Error('a map key is "__proto__"')
    if (field?.child === undefined) return skip(size)
    if (size > end - at) throw new Error('a message is longer than what holds it')
    depth += 1
    if (depth > maxDepth) throw new Error(`nested deeper than ${maxDepth} levels`)
    shapes[depth] = field.child
    end = at + size
    ends[depth] = end
  }

  while (depth >= 0) {
    if (at === end) {
      depth -= 1
      end = ends[depth] ?? end
      continue
    }
    count()
    const tag = unsigned32()
    const number = Math.floor(tag / 8)
    const wireType = tag % 8
    if (number === 0) throw new Error('a field has the number 0')
    const field = shapes[depth]!.get(number)
    if (field === undefined && limits.refuseUnknown) throw new Error(`the field ${number} is unknown`)
    if (field !== undefined && field.wireType !== wireType && (field.packed === undefined || wireType !== delimited))
      throw new Error(`the field ${number} has wire type ${wireType} instead of ${field.wireType}`)
    record(field, wireType)
  }
}

const prototypeKey = Buffer.from('__proto__')

function isPrototype(bytes: Uint8Array, from: number, size: number): boolean {
  return size === prototypeKey.length && prototypeKey.every((byte, index) => bytes[from + index] === byte)
}
