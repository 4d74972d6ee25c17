interface Codec {
  decompress(bytes: Buffer): Promise<Buffer>
}

/** Unpacks a compressed batch by kafkajs' own list of codecs, which has gzip and what its user has added. */
export async function decompress(codec: number, bytes: Buffer): Promise<Buffer> {
  const { CompressionCodecs } = await import('kafkajs')
  const make = (CompressionCodecs as unknown as Readonly<Record<number, (() => Codec) | undefined>>)[codec]
  if (make === undefined) throw new Error(`records are compressed with codec ${codec}, which kafkajs does not have`)
  return make().decompress(bytes)
}
