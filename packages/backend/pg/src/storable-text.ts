const marker = '\u0001'

/**
 * Encodes any JavaScript string as text PostgreSQL accepts, without loss: NUL and halves of surrogate pairs, which would abort
 * the caller's transaction or change on the way, are escaped behind a marker. Ordinary text stays as it is.
 */
export function encodeText(text: string): string {
  if (!text.includes('\0') && !text.startsWith(marker) && text.isWellFormed()) return text
  return marker + JSON.stringify(text).slice(1, -1)
}

/** Undoes `encodeText`. What it cannot have written, and another program has, is taken as it is. */
export function decodeText(text: string): string {
  if (!text.startsWith(marker)) return text
  try {
    return JSON.parse(`"${text.slice(1)}"`) as string
  } catch {
    return text
  }
}
