import type { Outgoing, Transport } from '@evt/core'
import { strikes } from './random.ts'

/** Whether fate has it delivered twice: follows from topic and key. */
export function isDeliveredTwice({ topic, key, id }: Outgoing, share = 0.01): boolean {
  return strikes(`${topic} ${key ?? id}`, 'duplicate', share)
}

/** Delivers 1 % of the messages twice, as brokers do at the wrong moment; which ones follows from topic and key. */
export function duplicatingTransport(transport: Transport, share?: number): Transport {
  return {
    name: transport.name,
    // Asked each time: it is final only once the transport is open.
    get supports() {
      return transport.supports
    },
    open: () => transport.open(),
    declare: (topic) => transport.declare(topic),
    async publish(batch) {
      // The second copy follows right behind the first, so that order and the prefix rule hold as without it.
      const sent = batch.flatMap((message, index) =>
        isDeliveredTwice(message, share) ? [{ index }, { index, copy: true }] : [{ index }],
      )
      const failures = await transport.publish(sent.map(({ index }) => batch[index]!))
      return failures.flatMap((failure) => {
        const { index, copy } = sent[failure.index]!
        // A copy that was not accepted is a message delivered once.
        return copy ? [] : [{ ...failure, index }]
      })
    },
    consume: (spec, events) => transport.consume(spec, events),
    inspect: (topic) => transport.inspect(topic),
    trim: (topic) => transport.trim(topic),
    readDeadLetters: (topic, page) => transport.readDeadLetters(topic, page),
    removeDeadLetters: (topic, ids) => transport.removeDeadLetters(topic, ids),
    close: () => transport.close(),
  }
}
