import type { Transport } from '../transport.ts'

/** A transport for all the buses over it, which know nothing of each other. */
export interface OpenTransport {
  /** Whether others have taken it beside one. */
  readonly isShared: boolean
  /** Opens it for the first who comes. Whoever gets a rejection holds nothing; the next one tries again. */
  take(): Promise<void>
  /** Closes it after the last who took it. */
  leave(): Promise<void>
}

const known = new WeakMap<Transport, OpenTransport>()

export function openTransport(transport: Transport): OpenTransport {
  const found = known.get(transport) ?? counted(transport)
  known.set(transport, found)
  return found
}

function counted(transport: Transport): OpenTransport {
  let holders = 0
  let opening: Promise<void> | undefined
  let closing: Promise<void> = Promise.resolve()
  return {
    get isShared() {
      return holders > 1
    },
    async take() {
      // What closes for the last is open again only after that.
      opening ??= closing.then(() => transport.open())
      const mine = opening
      holders += 1
      try {
        await mine
      } catch (error) {
        holders -= 1
        if (opening === mine) opening = undefined
        throw error
      }
    },
    async leave() {
      holders -= 1
      if (holders > 0) return
      opening = undefined
      const ending = transport.close()
      closing = ending.catch(() => undefined)
      await ending
    },
  }
}
