import type { Received } from './received.ts'

export interface Forgotten {
  /** The connection was lost or is up again. */
  changed(): void
  /** How many times it was, for messages that arrive now. */
  readonly epoch: number
  /** Those of before the last change that the server does not know it has handed over. Rejects where it cannot be asked. */
  among(all: readonly Received[]): Promise<ReadonlySet<Received>>
}

const none: ReadonlySet<Received> = new Set()

/**
 * A server that was killed may come back with an older state of its consumers. It then hands over again what it has forgotten,
 * and gives no answer to the acknowledgements of before: waiting for one would never end.
 */
export function createForgotten(lastHandedOver: (partition: number) => Promise<number>): Forgotten {
  let epoch = 0
  const known = new Map<number, { readonly epoch: number; readonly last: number }>()
  const lastOf = async (partition: number): Promise<number> => {
    const found = known.get(partition)
    if (found !== undefined && found.epoch === epoch) return found.last
    const asked = { epoch, last: await lastHandedOver(partition) }
    known.set(partition, asked)
    return asked.last
  }
  return {
    get epoch() {
      return epoch
    },
    changed() {
      epoch += 1
    },
    async among(all) {
      const before = all.filter((received) => received.epoch !== epoch)
      if (before.length === 0) return none
      const forgotten = new Set<Received>()
      for (const received of before) if (received.sequence > (await lastOf(received.partition))) forgotten.add(received)
      return forgotten
    },
  }
}
