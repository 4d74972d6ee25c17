import {
  type Clock,
  type Consumer,
  checkKnown,
  type Room,
  systemClock,
  type Transport,
  type TransportDelivery,
  wholeNumber,
} from '@evt/core'
import { checkSeed } from './fault-options.ts'
import { seededRandom } from './seeded-random.ts'
import { wrapConsumers, wrapTransport } from './wrap-transport.ts'

export interface ReorderingOptions {
  /** So many messages are gathered and handed over in a random order; 1 changes nothing. */
  readonly window: number
  /** The same seed gives the same order for the same reads. Default 1. */
  readonly seed?: number | undefined
  /** How long a read waits for the window to fill, in milliseconds. Default 10. */
  readonly gatherMs?: number | undefined
  readonly clock?: Clock | undefined
}

/**
 * Hands messages over in another order. Whatever order was asked for is kept: an ordered consumer gets the messages of one
 * key as they were published. Nothing is held across reads, so nothing is lost and closing waits for nothing.
 */
export function reordering<Wrapped extends Transport>(transport: Wrapped, options: ReorderingOptions): Wrapped {
  checkKnown('reordering', options, ['window', 'seed', 'gatherMs', 'clock'])
  const window = wholeNumber('window', options.window, { min: 1, default: 1 })
  const gatherMs = wholeNumber('gatherMs', options.gatherMs, { min: 0, default: 10 })
  const seed = checkSeed(options.seed)
  const clock = options.clock ?? systemClock
  let consumers = 0
  return wrapTransport(transport, {
    consume: wrapConsumers(transport, (consumer, spec) => {
      consumers += 1
      const random = seededRandom(seed + consumers)
      return {
        async read(room, signal) {
          if (window === 1) return consumer.read(room, signal)
          const gathered = await gather(consumer, room, signal, { window, gatherMs, clock })
          const shuffled: TransportDelivery[] = []
          for (let from = 0; from < gathered.length; from += window)
            shuffled.push(...shuffle(gathered.slice(from, from + window), random))
          return spec.ordered === 'none' ? shuffled : keepKeys(gathered, shuffled)
        },
      }
    }),
  })
}

async function gather(
  consumer: Consumer,
  room: Room,
  signal: AbortSignal,
  options: { readonly window: number; readonly gatherMs: number; readonly clock: Clock },
): Promise<readonly TransportDelivery[]> {
  const gathered = [...(await consumer.read(room, signal))]
  const messages = Math.min(options.window, room.messages)
  const bytesLeft = () => gathered.reduce((left, delivery) => left - delivery.payload.byteLength, room.bytes)
  const enough = new AbortController()
  const stop = () => enough.abort()
  const timer = options.clock.startTimer(stop, options.gatherMs)
  signal.addEventListener('abort', stop)
  try {
    while (gathered.length > 0 && gathered.length < messages && bytesLeft() > 0) {
      if (signal.aborted || enough.signal.aborted) break
      const more = { messages: messages - gathered.length, bytes: bytesLeft() }
      gathered.push(...(await consumer.read(more, enough.signal)))
    }
  } catch {
    // What has been read must not be lost with this failure; the next read meets it again.
  } finally {
    timer.cancel()
    signal.removeEventListener('abort', stop)
  }
  return gathered
}

/** Fisher and Yates. */
function shuffle(deliveries: TransportDelivery[], random: () => number): TransportDelivery[] {
  for (let index = deliveries.length - 1; index > 0; index -= 1) {
    const other = Math.floor(random() * (index + 1))
    const moved = deliveries[index]!
    deliveries[index] = deliveries[other]!
    deliveries[other] = moved
  }
  return deliveries
}

/** The places that a key's messages were shuffled to, filled in their own order. */
function keepKeys(
  original: readonly TransportDelivery[],
  shuffled: readonly TransportDelivery[],
): readonly TransportDelivery[] {
  const queues = new Map<string, TransportDelivery[]>()
  for (const delivery of original) {
    if (delivery.key === undefined) continue
    const queue = queues.get(delivery.key)
    if (queue === undefined) queues.set(delivery.key, [delivery])
    else queue.push(delivery)
  }
  return shuffled.map((delivery) => (delivery.key === undefined ? delivery : queues.get(delivery.key)!.shift()!))
}
