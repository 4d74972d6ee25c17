/** What a commit says beside its offset. Offsets are relative to it. */
export interface ProgressMetadata {
  /** Messages before this one may have been handed over: what is not done of them comes back as suspects. */
  readonly startedUpTo: number
  /** How often messages were handed over again without the offset having moved. */
  readonly redeliveries: number
  readonly done: ReadonlySet<number>
  /** Those whose attempt is not 1, or who are no suspects although they stand before `startedUpTo`. */
  readonly marked: ReadonlyMap<number, Mark>
}
export interface Mark {
  readonly attempt: number
  /** Its run began and its end is not known. */
  readonly started: boolean
  /** Given back unharmed. */
  readonly clean: boolean
}

/** Kafka's default limit is `offset.metadata.max.bytes` 4,096. */
export const maxMetadataBytes = 4_096
/** Above this size nothing more is fetched, so that what is under way still fits. */
export const fullMetadataBytes = 2_800
const version = 'e1'

/** As text: version, number, number, bits, marks. What does not fit is left out from its end, which repeats and never loses. */
export function encodeProgress({ startedUpTo, redeliveries, done, marked }: ProgressMetadata): string {
  if (startedUpTo === 0 && done.size === 0 && marked.size === 0) return ''
  const head = `${version};${startedUpTo.toString(36)};${redeliveries.toString(36)};`
  const bits = encodeBits(done, maxMetadataBytes - head.length - 64)
  let marks = ''
  for (const [offset, { attempt, started, clean }] of marked) {
    const flags = `${started ? 's' : ''}${clean ? 'c' : ''}`
    const mark = `${offset.toString(36)}.${attempt.toString(36)}${flags === '' ? '' : `.${flags}`},`
    if (head.length + bits.length + 1 + marks.length + mark.length > maxMetadataBytes) break
    marks += mark
  }
  return `${head}${bits};${marks}`
}

/** Nothing for what this transport has not written, such as the metadata of an operator's own commit. */
export function decodeProgress(text: string): ProgressMetadata {
  const done = new Set<number>()
  const marked = new Map<number, Mark>()
  const [found, upTo, redeliveries, bits, marks] = text.split(';')
  if (found !== version) return { startedUpTo: 0, redeliveries: 0, done, marked }
  const bytes = Buffer.from(bits ?? '', 'base64')
  for (let index = 0; index < bytes.length * 8; index += 1) {
    if ((bytes[index >> 3]! & (1 << (index & 7))) !== 0) done.add(index)
  }
  for (const mark of (marks ?? '').split(',')) {
    const [offset, attempt, flags = ''] = mark.split('.')
    const at = whole(offset)
    const count = whole(attempt)
    if (at === undefined || count === undefined || count < 1) continue
    marked.set(at, { attempt: count, started: flags.includes('s'), clean: flags.includes('c') })
  }
  return { startedUpTo: whole(upTo) ?? 0, redeliveries: whole(redeliveries) ?? 0, done, marked }
}

function encodeBits(done: ReadonlySet<number>, maxLength: number): string {
  const maxBytes = Math.floor(maxLength / 4) * 3
  let highest = -1
  for (const offset of done) if (offset > highest && offset < maxBytes * 8) highest = offset
  const bytes = Buffer.alloc((highest >> 3) + 1)
  for (const offset of done) if (offset <= highest) bytes[offset >> 3]! |= 1 << (offset & 7)
  return bytes.toString('base64')
}

function whole(text: string | undefined): number | undefined {
  if (text === undefined || !/^[0-9a-z]{1,10}$/.test(text)) return undefined
  const value = Number.parseInt(text, 36)
  return Number.isSafeInteger(value) ? value : undefined
}
