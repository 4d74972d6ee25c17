import type { Consumer, ConsumeSpec, Transport } from '@evt/core'
import { delegate } from './delegate.ts'

/** A transport with some verbs replaced; the others, `supports`, `inspect` and what it has beyond the contract stay visible. */
export function wrapTransport<Wrapped extends Transport, Overrides extends Partial<Transport>>(
  transport: Wrapped,
  overrides: Overrides,
): Wrapped & Overrides {
  return delegate(transport, overrides)
}

/** The `consume` of a transport whose consumers have some verbs replaced. */
export function wrapConsumers(
  transport: Transport,
  around: (consumer: Consumer, spec: ConsumeSpec) => Partial<Consumer>,
): Transport['consume'] {
  return async (spec, events) => {
    const consumer = await transport.consume(spec, events)
    return delegate(consumer, around(consumer, spec))
  }
}
