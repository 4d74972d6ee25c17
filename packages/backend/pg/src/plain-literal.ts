const plain = /^[\x20-\x26\x28-\x5b\x5d-\x7e]*$/

/**
 * Text as a literal of SQL, where it is printable ASCII without quote and backslash, so that no setting of server or session
 * can read it otherwise; undefined where it has to be a parameter. A statement without parameters shares a round trip with
 * `BEGIN` or `COMMIT`.
 */
export function plainLiteral(text: string): string | undefined {
  return plain.test(text) ? `'${text}'` : undefined
}
