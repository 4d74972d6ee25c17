import type { ConsumerState, Outgoing, Transport } from '@evt/core'
import { delegate } from './delegate.ts'
import { wrapTransport } from './wrap-transport.ts'

/** What a transport accepted, and what its open consumers still have to do. */
export interface Ledger {
  readonly transport: Transport
  /** Ids in the order of their first acceptance. */
  readonly accepted: ReadonlySet<string>
  /** Told after messages were accepted. */
  onAccepted(listener: () => void): () => void
  /** The state of every consumer that is open here, one entry for each topic it reads. */
  states(): Promise<readonly { readonly topic: string; readonly state: ConsumerState }[]>
}

export function createLedger(inner: Transport): Ledger {
  const accepted = new Set<string>()
  const listeners = new Set<() => void>()
  /** Topic and consumer, with how many are open. */
  const open = new Map<string, { readonly topic: string; readonly consumer: string; count: number }>()
  const add = (batch: readonly Outgoing[], failed: ReadonlySet<number>) => {
    for (const [index, outgoing] of batch.entries()) if (!failed.has(index)) accepted.add(outgoing.id)
    for (const listener of [...listeners]) listener()
  }
  const transport = wrapTransport(inner, {
    async publish(batch) {
      const failures = await inner.publish(batch)
      add(batch, new Set(failures.map((failure) => failure.index)))
      return failures
    },
    async consume(spec, events) {
      const { topic, consumer } = spec
      const reader = await inner.consume(spec, events)
      const key = `${topic}\n${consumer}`
      const entry = open.get(key) ?? { topic, consumer, count: 0 }
      entry.count += 1
      open.set(key, entry)
      const close = async () => {
        entry.count -= 1
        if (entry.count === 0) open.delete(key)
        await reader.close()
      }
      return delegate(reader, { close })
    },
  })
  return {
    transport,
    accepted,
    onAccepted(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    async states() {
      const states: { topic: string; state: ConsumerState }[] = []
      for (const topic of new Set([...open.values()].map((entry) => entry.topic))) {
        for (const state of await inner.inspect(topic))
          if (open.has(`${topic}\n${state.consumer}`)) states.push({ topic, state })
      }
      return states
    },
  }
}
