/**
 * Writes an array as one text parameter, to be read by `($1::text)::text[]` or `($1::text)::bytea[]`: the one form of an array
 * that every driver under an executor passes on.
 */
export function arrayLiteral(values: readonly (string | Uint8Array | null)[]): string {
  let literal = '{'
  for (let index = 0; index < values.length; index += 1) {
    const value = values[index]!
    if (index > 0) literal += ','
    if (value === null) literal += 'NULL'
    else if (typeof value === 'string') literal += quoted(value)
    else literal += `"\\\\x${hex(value)}"`
  }
  return `${literal}}`
}

function quoted(value: string): string {
  const escaped = value.includes('"') || value.includes('\\') ? value.replace(/["\\]/g, '\\$&') : value
  return `"${escaped}"`
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}
