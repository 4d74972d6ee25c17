import { createHash } from 'node:crypto'

type Payload = string | Uint8Array
interface Entry {
  readonly id: string
  readonly payload: Payload | undefined
}
export interface Delivered {
  readonly sent: number
  readonly duplicates: number
}

/**
 * What was sent in a round, and what each handler got. Only keeps references while the clock runs; hashes afterwards. A payload
 * is compared where both sides give it.
 */
export class Ledger {
  readonly #sent: Entry[] = []
  readonly #handled: Entry[][] = []

  sent(id: string, payload?: Payload): void {
    this.#sent.push({ id, payload })
  }
  /** A handler that got nothing is found by its number only if it is named here. */
  expectHandlers(count: number): void {
    while (this.#handled.length < count) this.#handled.push([])
  }
  handled(id: string, payload?: Payload, handler = 0): void {
    if (this.#handled[handler] === undefined) this.expectHandlers(handler + 1)
    this.#handled[handler]!.push({ id, payload })
  }
  get handledCount(): number {
    return this.#handled.reduce((sum, entries) => sum + entries.length, 0)
  }
  /** Throws where a message is missing, altered, unknown, or was sent twice under one id; counts duplicates. */
  check(who: string, expected: number): Delivered {
    const sent = new Map<string, string | undefined>()
    for (const { id, payload } of this.#sent) sent.set(id, payload === undefined ? undefined : hash(payload))
    if (sent.size !== expected || this.#sent.length !== expected)
      throw new Error(`${who}: ${this.#sent.length} messages with ${sent.size} ids were sent instead of ${expected}`)
    if (this.#handled.length === 0) throw new Error(`${who}: nothing was handled`)
    let duplicates = 0
    for (const [handler, entries] of this.#handled.entries()) {
      const seen = new Set<string>()
      for (const { id, payload } of entries) {
        if (!sent.has(id)) throw new Error(`${who}: handler ${handler} got ${id}, which was not sent`)
        if (seen.has(id)) duplicates += 1
        seen.add(id)
        const wanted = sent.get(id)
        if (wanted !== undefined && payload !== undefined && hash(payload) !== wanted)
          throw new Error(`${who}: handler ${handler} got ${id} with another payload than was sent`)
      }
      if (seen.size < sent.size) throw new Error(`${who}: handler ${handler} lost ${sent.size - seen.size} messages`)
    }
    return { sent: expected, duplicates }
  }
}

const hashes = new Map<string, string>()
const mostHashes = 1_000

/** Most rounds send few different payloads many times. */
function hash(payload: Payload): string {
  const text = typeof payload === 'string' ? payload : Buffer.from(payload).toString('latin1')
  let found = hashes.get(text)
  if (found === undefined) {
    found = createHash('sha256').update(payload).digest('hex')
    if (hashes.size < mostHashes) hashes.set(text, found)
  }
  return found
}
