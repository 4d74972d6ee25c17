import { isUtf8 } from 'node:buffer'

const maxDepth = 64

/** Bytes of a value behind its first byte, from 0xc0 on; `lengthOf` reads those that depend on a length. */
const fixedSize: Readonly<Record<number, number>> = {
  ...{ 192: 0, 194: 0, 195: 0, 202: 4, 203: 8, 204: 1, 205: 2, 206: 4, 207: 8 },
  ...{ 208: 1, 209: 2, 210: 4, 211: 8 },
}

/**
 * Throws unless bytes are exactly one MessagePack value that is safe to build: every length within the bytes, at most 64
 * levels and `maxValues` values, keys that are text or integers and never `__proto__`, text in UTF-8, no extension but
 * timestamps and undefined. Builds nothing itself. Source: https://github.com/msgpack/msgpack/blob/master/spec.md
 */
export function checkBytes(bytes: Uint8Array, maxValues: number): void {
  // Per open container: values to come, and whether every second one of them is a key.
  const toCome = [1]
  const hasKeys = [false]
  let depth = 0
  let values = 0
  let at = 0

  const take = (size: number): number => {
    const from = at
    at += size
    if (at > bytes.length) throw new Error('it ends in the middle of a value')
    return from
  }
  const unsigned = (size: number): number => {
    const from = take(size)
    let value = 0
    for (let index = from; index < at; index += 1) value = value * 256 + bytes[index]!
    return value
  }
  const text = (size: number, isKey: boolean): void => {
    const from = take(size)
    if (isKey && size === 9 && bytes[from] === 0x5f && isPrototype(bytes, from)) throw new Error('a key is "__proto__"')
    for (let index = from; index < at; index += 1)
      if (bytes[index]! >= 0x80) {
        if (!isUtf8(bytes.subarray(index, at))) throw new Error('a text is not UTF-8')
        return
      }
  }
  const open = (count: number, withKeys: boolean): void => {
    if (count === 0) return
    if (count > bytes.length - at) throw new Error('a container promises more values than there are bytes')
    depth += 1
    if (depth > maxDepth) throw new Error(`nested deeper than ${maxDepth} levels`)
    toCome[depth] = count
    hasKeys[depth] = withKeys
  }
  const extension = (size: number): void => {
    const type = bytes[take(1)]!
    const isTimestamp = type === 0xff && (size === 4 || size === 8 || size === 12)
    if (!isTimestamp && !(type === 0 && size === 1))
      throw new Error(`extension type ${(type << 24) >> 24} of ${size} bytes`)
    take(size)
  }

  while (depth >= 0) {
    const left = toCome[depth]!
    if (left === 0) {
      depth -= 1
      continue
    }
    toCome[depth] = left - 1
    values += 1
    if (values > maxValues) throw new Error(`it holds more than ${maxValues} values`)
    const isKey = hasKeys[depth]! && left % 2 === 0
    const token = bytes[take(1)]!
    if (token < 0x80 || token >= 0xe0) continue
    if (token >= 0xa0 && token < 0xc0) {
      text(token & 0x1f, isKey)
      continue
    }
    if (token >= 0xd9 && token <= 0xdb) {
      text(unsigned(1 << (token - 0xd9)), isKey)
      continue
    }
    if (isKey && (token < 0xcc || token > 0xd3)) throw new Error('a key is neither text nor an integer')
    if (token < 0x90) open((token & 0x0f) * 2, true)
    else if (token < 0xa0) open(token & 0x0f, false)
    else if (token >= 0xde) open(unsigned(token === 0xde ? 2 : 4) * 2, true)
    else if (token >= 0xdc) open(unsigned(token === 0xdc ? 2 : 4), false)
    else if (token >= 0xc4 && token <= 0xc6) take(unsigned(1 << (token - 0xc4)))
    else if (token >= 0xc7 && token <= 0xc9) extension(unsigned(1 << (token - 0xc7)))
    else if (token >= 0xd4) extension(1 << (token - 0xd4))
    else {
      const size = fixedSize[token]
      if (size === undefined) throw new Error('a byte that starts no value')
      take(size)
    }
  }
  if (at < bytes.length) throw new Error(`${bytes.length - at} bytes follow the value`)
}

const prototypeKey = Buffer.from('__proto__')

function isPrototype(bytes: Uint8Array, from: number): boolean {
  return prototypeKey.every((byte, index) => bytes[from + index] === byte)
}
