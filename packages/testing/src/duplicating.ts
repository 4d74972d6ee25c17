import { checkKnown, type Outgoing, type Transport } from '@evt/core'
import { checkSeed, checkShare } from './fault-options.ts'
import { seededRandom } from './seeded-random.ts'
import { wrapTransport } from './wrap-transport.ts'

export interface DuplicatingOptions {
  /** The part of all messages that is published twice, 0 to 1. */
  readonly share: number
  /** The same seed strikes the same messages, counted in the order they are published. Default 1. */
  readonly seed?: number | undefined
}

/**
 * Publishes some messages twice, the copy right behind the original and under the same id, as a publisher does that had no
 * answer to its first try. The idea is watermill's duplicator. A transport that deduplicates by id drops the copies.
 */
export function duplicating<Wrapped extends Transport>(transport: Wrapped, options: DuplicatingOptions): Wrapped {
  checkKnown('duplicating', options, ['share', 'seed'])
  const share = checkShare('share', options.share)
  const random = seededRandom(checkSeed(options.seed))
  return wrapTransport(transport, {
    async publish(batch) {
      const sent: Outgoing[] = []
      /** The index an original had; undefined for a copy, whose failure is nobody's business. */
      const origins: (number | undefined)[] = []
      for (const [index, outgoing] of batch.entries()) {
        sent.push(outgoing)
        origins.push(index)
        if (random() >= share) continue
        sent.push(outgoing)
        origins.push(undefined)
      }
      const failures = await transport.publish(sent)
      return failures.flatMap((failure) => {
        const index = origins[failure.index]
        return index === undefined ? [] : [{ ...failure, index }]
      })
    },
  })
}
