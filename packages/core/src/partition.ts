/**
 * The partition of a key among so many: the same in every process and language. FNV-1a over the key's UTF-8 bytes, 32 bits,
 * modulo the number of partitions. Source: http://www.isthe.com/chongo/tech/comp/fnv/
 */
export function partitionOf(key: string, partitions: number): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < key.length; index += 1) {
    const code = key.charCodeAt(index)
    if (code >= 0x80) return ofBytes(Buffer.from(key, 'utf8'), partitions)
    hash = Math.imul(hash ^ code, 0x01000193)
  }
  return (hash >>> 0) % partitions
}

function ofBytes(bytes: Uint8Array, partitions: number): number {
  let hash = 0x811c9dc5
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193)
  return (hash >>> 0) % partitions
}
