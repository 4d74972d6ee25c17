import {
  checkFunction,
  checkKnown,
  evtError,
  invalidOption,
  type Outgoing,
  type PublishFailure,
  type Settlement,
  type Transport,
  type TransportDelivery,
  wholeNumber,
} from '@evt/core'
import type {} from './errors.ts'
import { wrapConsumers, wrapTransport } from './wrap-transport.ts'

/** When an operation fails. */
export interface Fault<Subject> {
  /** How often it fails before it works again. Default: always. */
  readonly times?: number | undefined
  /** What it fails for. Default: everything. */
  readonly when?: ((subject: Subject) => boolean) | undefined
}
export interface PublishFault extends Fault<Outgoing> {
  /**
   * `refused` and `unavailable` hand nothing over. `unknown` hands the message over and loses the answer, so that whoever
   * publishes again makes a duplicate. Default `unavailable`.
   */
  readonly outcome?: PublishFailure['outcome'] | undefined
}
export interface FailingOptions {
  /** Asked for every message. */
  readonly publish?: PublishFault | undefined
  /** Asked for every read with the name of the consumer; nothing has been read when it rejects. */
  readonly read?: Fault<string> | undefined
  /** Asked for every settlement; one of them makes the call reject, and nothing of it is handed over. */
  readonly settle?: Fault<Settlement> | undefined
  /** Asked for every delivery whose lease is renewed. */
  readonly extend?: Fault<TransportDelivery> | undefined
}

/** Makes operations of a transport fail with `EVT_TESTING_FAULT`, the rest pass. */
export function failing<Wrapped extends Transport>(transport: Wrapped, options: FailingOptions): Wrapped {
  checkKnown('failing', options, ['publish', 'read', 'settle', 'extend'])
  const { outcome = 'unavailable', ...publishFault } = options.publish ?? {}
  if (!['refused', 'unavailable', 'unknown'].includes(outcome))
    throw invalidOption('publish.outcome', "expected 'refused', 'unavailable' or 'unknown'")
  const publishFails = striker('publish', options.publish && publishFault)
  const readFails = striker('read', options.read)
  const settleFails = striker('settle', options.settle)
  const extendFails = striker('extend', options.extend)
  return wrapTransport(transport, {
    async publish(batch) {
      const handedOver: number[] = []
      const failures: PublishFailure[] = []
      for (const [index, outgoing] of batch.entries()) {
        // Where a batch is accepted up to its first failure, nothing behind that may overtake it.
        if (failures.length > 0 && transport.supports.publishOrder === 'prefix') {
          failures.push({ index, outcome: 'unavailable', error: fault('publish') })
          continue
        }
        const fails = publishFails(outgoing)
        if (fails) failures.push({ index, outcome, error: fault('publish') })
        if (!fails || outcome === 'unknown') handedOver.push(index)
      }
      if (handedOver.length === 0) return failures
      const injected = new Set(failures.map((failure) => failure.index))
      const own = await transport.publish(handedOver.map((index) => batch[index]!))
      const real = own.map((failure) => ({ ...failure, index: handedOver[failure.index]! }))
      return [...failures, ...real.filter((failure) => !injected.has(failure.index))].sort(
        (left, right) => left.index - right.index,
      )
    },
    consume: wrapConsumers(transport, (consumer, spec) => ({
      async read(room, signal) {
        if (readFails(spec.consumer)) throw fault('read')
        return consumer.read(room, signal)
      },
      async settle(batch) {
        if (batch.some(settleFails)) throw fault('settle')
        return consumer.settle(batch)
      },
      async extend(held) {
        if (held.some(extendFails)) throw fault('extend')
        return consumer.extend(held)
      },
    })),
  })
}

function striker<Subject>(operation: string, options: Fault<Subject> | undefined): (subject: Subject) => boolean {
  if (options === undefined) return () => false
  checkKnown(`failing.${operation}`, options, ['times', 'when'])
  if (options.when !== undefined) checkFunction(`${operation}.when`, options.when)
  let left = wholeNumber(`${operation}.times`, options.times, { min: 0, default: Number.MAX_SAFE_INTEGER })
  return (subject) => {
    if (left === 0 || !(options.when?.(subject) ?? true)) return false
    left -= 1
    return true
  }
}

function fault(operation: string): Error {
  return evtError('EVT_TESTING_FAULT', `A test made ${operation} fail`, { operation }, { retryable: true })
}
