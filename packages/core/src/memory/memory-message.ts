import type { Outgoing } from '../transport.ts'

/** A published message with what is left to be done about it. */
export class MemoryMessage {
  readonly outgoing: Outgoing
  readonly sequence: number
  readonly publishedMs: number
  readonly bytes: number
  #unsettled = 0
  #settled: (() => void) | undefined

  constructor(outgoing: Outgoing, sequence: number, publishedMs: number) {
    this.outgoing = outgoing
    this.sequence = sequence
    this.publishedMs = publishedMs
    this.bytes = outgoing.payload.byteLength
  }
  /** One more durable group must settle it. */
  await(): void {
    this.#unsettled += 1
  }
  settle(): void {
    this.#unsettled -= 1
    if (this.#unsettled === 0) this.#settled?.()
  }
  /** Resolves when every durable group has settled it. */
  whenSettled(): Promise<void> | undefined {
    if (this.#unsettled === 0) return undefined
    return new Promise((resolve) => {
      this.#settled = resolve
    })
  }
}
