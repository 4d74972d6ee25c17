import { randomFillSync } from 'node:crypto'

const pool = new Uint8Array(2_048)
const hex = Array.from({ length: 256 }, (_value, byte) => byte.toString(16).padStart(2, '0'))
let used = pool.length
let lastMs = 0
let prefix = ''
let count = 0

/** The least that makes a UUID version 7: what a hand-written loop would use. */
export function timeOrderedId(nowMs: number): string {
  if (used === pool.length) {
    randomFillSync(pool)
    used = 0
  }
  if (nowMs !== lastMs) {
    const digits = nowMs.toString(16).padStart(12, '0')
    prefix = `${digits.slice(0, 8)}-${digits.slice(8)}-`
    lastMs = nowMs
    count = 0
  }
  count = (count + 1) & 0xfff
  const at = used
  used += 8
  return `${prefix}${hex[0x70 | (count >> 8)]}${hex[count & 0xff]}-${hex[0x80 | (pool[at]! & 0x3f)]}${hex[pool[at + 1]!]}-${hex[pool[at + 2]!]}${hex[pool[at + 3]!]}${hex[pool[at + 4]!]}${hex[pool[at + 5]!]}${hex[pool[at + 6]!]}${hex[pool[at + 7]!]}`
}
