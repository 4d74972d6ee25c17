/** A message as the broker keeps it; the payload in base64, since the protocol is lines of JSON. */
export interface ToyMessage {
  readonly id: string
  readonly topic: string
  readonly key?: string | undefined
  readonly headers: Readonly<Record<string, string>>
  readonly payload: string
}
interface Logged extends ToyMessage {
  readonly position: number
  readonly atMs: number
}
/** A logged message as one group sees it. */
interface Item extends Logged {
  attempt: number
  deliveries: number
  suspect: boolean
  started: boolean
}
export type ToyStart = 'earliest' | 'latest' | { readonly atMs: number } | { readonly after: number }
export interface ToySettlement {
  readonly token: number
  readonly as: 'ack' | 'release' | 'started' | 'retry' | 'deadLetter'
  readonly attempt?: number
  readonly afterMs?: number
  readonly reason?: string
  readonly history?: readonly unknown[]
}
export interface ToyReader {
  readonly max: number
  readonly maxBytes: number
  readonly leaseMs: number
  readonly answer: (deliveries: readonly object[]) => void
}

let lastToken = 0

/** The messages of one topic for one group: waiting in the order of their positions, leased under a token, or delayed. */
export class ToyGroup {
  readonly readers = new Set<ToyReader>()
  readonly name: string
  readonly #park: (letter: object) => void
  #waiting: Item[] = []
  readonly #leased = new Map<number, { readonly item: Item; timer: NodeJS.Timeout }>()
  readonly #delayed = new Map<Item, NodeJS.Timeout>()
  #deadLettered = 0

  constructor(name: string, park: (letter: object) => void) {
    this.name = name
    this.#park = park
  }
  add(message: Logged): void {
    this.#putBack({ ...message, attempt: 1, deliveries: 0, suspect: false, started: false })
  }
  #putBack(item: Item): void {
    let index = this.#waiting.length
    while (index > 0 && this.#waiting[index - 1]!.position > item.position) index -= 1
    this.#waiting.splice(index, 0, item)
    // Once for all that came together.
    setImmediate(() => this.serve())
  }
  serve(): void {
    for (const reader of this.readers) {
      if (this.#waiting.length === 0) return
      let bytes = 0
      let count = 0
      for (const { payload } of this.#waiting) {
        bytes += payload.length
        if (count > 0 && (count >= reader.max || bytes > reader.maxBytes)) break
        count += 1
      }
      reader.answer(this.#waiting.splice(0, count).map((item) => this.#lease(item, reader.leaseMs)))
    }
  }
  #lease(item: Item, leaseMs: number): object {
    lastToken += 1
    const token = lastToken
    item.deliveries += 1
    this.#leased.set(token, { item, timer: setTimeout(() => this.#expire(token), leaseMs) })
    return { ...item, token }
  }
  #expire(token: number): void {
    const { item } = this.#leased.get(token)!
    this.#leased.delete(token)
    if (item.started) item.attempt += 1
    this.#putBack(Object.assign(item, { suspect: true, started: false }))
  }
  /** The tokens whose lease had ended before. */
  extend(tokens: readonly number[], leaseMs: number): readonly number[] {
    return tokens.filter((token) => {
      const lease = this.#leased.get(token)
      if (lease === undefined) return true
      clearTimeout(lease.timer)
      lease.timer = setTimeout(() => this.#expire(token), leaseMs)
      return false
    })
  }
  /** Whether the lease was still there. */
  settle({ token, as, attempt = 1, afterMs = 0, reason, history }: ToySettlement): boolean {
    const lease = this.#leased.get(token)
    if (lease === undefined) return false
    const { item } = lease
    if (as === 'started') return Object.assign(item, { started: true }).started
    clearTimeout(lease.timer)
    this.#leased.delete(token)
    Object.assign(item, { attempt, suspect: false, started: false })
    if (as === 'release') this.#putBack(item)
    else if (as === 'retry') this.#delay(item, afterMs)
    else if (as === 'deadLetter') {
      this.#deadLettered += 1
      this.#park({ ...item, group: this.name, reason, history })
    }
    return true
  }
  #delay(item: Item, afterMs: number): void {
    const due = () => {
      this.#delayed.delete(item)
      this.#putBack(item)
    }
    // Timers may fire a millisecond early.
    this.#delayed.set(item, setTimeout(due, afterMs + 1))
  }
  /** The oldest that is not settled. */
  #oldest(): Item | undefined {
    const leased = [...this.#leased.values()].map(({ item }) => item)
    const open = [...this.#waiting.slice(0, 1), ...leased, ...this.#delayed.keys()]
    return open.sort((left, right) => left.position - right.position)[0]
  }
  /** The lowest position that is not settled, or infinity. */
  lowest(): number {
    return this.#oldest()?.position ?? Number.POSITIVE_INFINITY
  }
  state(): object {
    const oldest = this.#oldest()
    return {
      consumer: this.name,
      lag: this.#waiting.length,
      running: this.#leased.size,
      delayed: this.#delayed.size,
      deadLettered: this.#deadLettered,
      oldestMs: oldest === undefined ? null : Date.now() - oldest.atMs,
    }
  }
  close(): void {
    for (const { timer } of this.#leased.values()) clearTimeout(timer)
    for (const timer of this.#delayed.values()) clearTimeout(timer)
    for (const reader of this.readers) reader.answer([])
  }
}

/** A log with groups over it and a place for dead letters. */
export class ToyTopic {
  readonly groups = new Map<string, ToyGroup>()
  letters: { readonly letter: number }[] = []
  #log: Logged[] = []
  #lastPosition = 0
  #lastLetter = 0

  publish(message: ToyMessage): void {
    this.#lastPosition += 1
    const logged = { ...message, position: this.#lastPosition, atMs: Date.now() }
    this.#log.push(logged)
    for (const group of this.groups.values()) group.add(logged)
  }
  group(name: string, from: ToyStart): void {
    if (this.groups.has(name)) return
    const group = new ToyGroup(name, (letter) => {
      this.#lastLetter += 1
      this.letters.push({ ...letter, letter: this.#lastLetter })
    })
    this.groups.set(name, group)
    if (from === 'latest') return
    const after = typeof from === 'object' && 'after' in from ? from.after : 0
    const sinceMs = typeof from === 'object' && 'atMs' in from ? from.atMs : 0
    for (const message of this.#log) if (message.position > after && message.atMs >= sinceMs) group.add(message)
  }
  /** Forgets what every group has settled; without a group nobody has. */
  trim(): { readonly removed: number; readonly heldBackBy: string | null } {
    const [slowest] = [...this.groups.values()].sort((left, right) => left.lowest() - right.lowest())
    const lowest = slowest?.lowest() ?? 0
    const kept = this.#log.filter(({ position }) => position >= lowest)
    const removed = this.#log.length - kept.length
    this.#log = kept
    return { removed, heldBackBy: lowest === Number.POSITIVE_INFINITY ? null : (slowest?.name ?? null) }
  }
}
