/** Numbers and texts of the protocol, one after the other. Throws where there are fewer bytes than they claim. */
export class ByteReader {
  readonly bytes: Buffer
  at: number
  readonly end: number

  constructor(bytes: Buffer, at: number = 0, end: number = bytes.byteLength) {
    this.bytes = bytes
    this.at = at
    this.end = end
  }
  /** Steps over so many bytes and answers where they begin. */
  take(length: number): number {
    const { at } = this
    if (length < 0 || length > this.end - at) throw new Error('the answer of the broker is cut off')
    this.at = at + length
    return at
  }
  int8(): number {
    return this.bytes.readInt8(this.take(1))
  }
  int16(): number {
    return this.bytes.readInt16BE(this.take(2))
  }
  int32(): number {
    return this.bytes.readInt32BE(this.take(4))
  }
  /** Offsets and times leave the safe numbers in two hundred thousand years. */
  int64(): number {
    const at = this.take(8)
    return this.bytes.readInt32BE(at) * 0x1_0000_0000 + this.bytes.readUInt32BE(at + 4)
  }
  /** Ids that may be any number. */
  bigInt64(): bigint {
    return this.bytes.readBigInt64BE(this.take(8))
  }
  text(): string {
    const length = this.int16()
    if (length <= 0) return ''
    const at = this.take(length)
    return this.bytes.toString('utf8', at, at + length)
  }
  /** A list, empty where it is null. */
  list<Item>(read: () => Item): Item[] {
    const items: Item[] = []
    for (let left = this.int32(); left > 0; left -= 1) items.push(read())
    return items
  }
  /** Zigzag, up to 32 bits. */
  varint(): number {
    const { bytes } = this
    const first = bytes[this.at]!
    if (first < 0x80 && this.at < this.end) {
      this.at += 1
      return (first >>> 1) ^ -(first & 1)
    }
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = bytes[this.take(1)]!
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return (value >>> 1) ^ -(value & 1)
    }
    throw new Error('a number in the answer of the broker is too long')
  }
  /** Zigzag, up to 64 bits: exact as far as numbers are. */
  varlong(): number {
    let value = 0
    let scale = 1
    for (let count = 0; count < 10; count += 1) {
      const byte = this.bytes[this.take(1)]!
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2
      scale *= 128
    }
    throw new Error('a number in the answer of the broker is too long')
  }
}
