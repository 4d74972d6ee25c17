import type { Transport } from '@evt/core'
import { strikes } from './random.ts'

/** Delivers 1 % of the messages twice, as brokers do at the wrong moment; which ones follows from topic and key. */
export function duplicatingTransport(transport: Transport, share = 0.01): Transport {
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
      const sent = batch.flatMap((message, index) => {
        const twice = strikes(`${message.topic} ${message.key ?? message.id}`, 'duplicate', share)
        return twice ? [{ index }, { index, copy: true }] : [{ index }]
      })
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
