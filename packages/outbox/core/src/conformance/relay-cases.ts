import type { PublishFailure } from '@evt/core'
import { type ConformanceCase, eventually, expectThat } from '@evt/core/conformance'
import type { OutboxStore } from '../outbox-store.ts'
import { createRelay, type Relay, type RelayOptions } from '../relay.ts'
import { type OutboxStoreFactory, relayTarget, storedMessage, withStore, write } from './harness.ts'

const writers = 6
const perWriter = 40

/** What relays over the store keep, however many there are and whatever pauses. */
export function relayCases<Transaction>(create: OutboxStoreFactory<Transaction>): readonly ConformanceCase[] {
  return [
    {
      name: 'one relay publishes every committed row once, each key in order',
      run: () => race(create, { relays: 1, pauseMs: 0 }),
    },
    {
      name: 'four relays publish every committed row once while no lease is lost, each key in order',
      run: () => race(create, { relays: 4, pauseMs: 0 }),
    },
    {
      name: 'four relays that all believe to lead, and pause, publish first occurrences of each key in order',
      run: () => race(create, { relays: 4, pauseMs: 12, leaseOff: true }),
    },
    {
      name: 'four relays whose transport accepts parts of a batch publish first occurrences of each key in order',
      run: () => race(create, { relays: 4, pauseMs: 6, leaseOff: true, failing: true }),
    },
    {
      name: 'a standby relay takes over when the leader is gone',
      run: () =>
        withStore(create, async (harness) => {
          const { store } = harness
          await store.lead('a relay that died', 300)
          const published: string[] = []
          const relay = createRelay(store as never, { pollMs: 50, leaseMs: 300 })
          relay.start(
            relayTarget(async (_transport, batch) => {
              for (const message of batch) published.push(message.headers.text!)
              return []
            }),
          )
          try {
            await write(harness, [storedMessage('1')])
            await eventually(() => published.length === 1, 'a standby takes over', 1_300)
          } finally {
            await relay.stop()
          }
        }),
    },
  ]
}

interface Race {
  readonly relays: number
  readonly pauseMs: number
  readonly leaseOff?: boolean
  /** One call in three accepts only some of its messages. */
  readonly failing?: boolean
}

async function race<Transaction>(create: OutboxStoreFactory<Transaction>, options: Race): Promise<void> {
  const { pauseMs, leaseOff = false, failing = false } = options
  await withStore(create, async (harness) => {
    const store = leaseOff ? withoutLease(harness.store) : harness.store
    const firsts = new Map<string, number[]>()
    const seen = new Map<string, number>()
    let calls = 0
    const target = relayTarget(
      async (_transport, batch) => {
        const pause = () => new Promise((resolve) => setTimeout(resolve, Math.random() * pauseMs))
        calls += 1
        const failures: PublishFailure[] = []
        const isPartial = failing && calls % 3 === 0
        await pause()
        for (const [index, message] of batch.entries()) {
          if (isPartial && (index + calls) % 2 === 0) {
            failures.push({ index, outcome: 'unavailable', error: new Error('partly out of reach') })
            continue
          }
          const count = seen.get(message.id) ?? 0
          seen.set(message.id, count + 1)
          if (count > 0) continue
          const list = firsts.get(message.key!) ?? []
          list.push(Number(message.headers.text))
          firsts.set(message.key!, list)
        }
        await pause()
        return failures
      },
      failing
        ? {
            supports: () => ({
              durability: 'broker',
              publishOrder: 'independent',
              confirms: 'accepted',
              maxMessageBytes: 1_000_000,
            }),
          }
        : {},
    )
    const relayOptions: RelayOptions = { batch: 7, pollMs: 3, leaseMs: 5_000 }
    const relays: Relay[] = []
    for (let n = 0; n < options.relays; n += 1) relays.push(createRelay(store as never, relayOptions))
    for (const relay of relays) relay.start(target)
    try {
      await Promise.all(
        Array.from({ length: writers }, async (_v, writer) => {
          for (let n = 0; n < perWriter; n += 1) {
            await write(harness, [storedMessage(String(n), { key: `key-${writer}` })])
            if (n % 4 === 0) for (const relay of relays) relay.wake()
          }
        }),
      )
      const isQuiet = async () => seen.size === writers * perWriter && (await harness.store.count()).waiting === 0
      await eventually(isQuiet, 'every committed row is published and deleted', 30_000)
    } finally {
      await Promise.all(relays.map((relay) => relay.stop()))
    }
    for (const list of firsts.values()) {
      expectThat(list.join() === [...list].sort((a, b) => a - b).join(), 'first occurrences of a key are in order')
    }
    if (!leaseOff && !failing) {
      expectThat(Math.max(...seen.values()) === 1, 'no row is published twice while no lease is lost')
    }
  })
}

/** Whoever asks leads: what clocks and pauses can do to a lease at worst. */
function withoutLease<Transaction>(store: OutboxStore<Transaction>): OutboxStore<Transaction> {
  return { ...store, lead: async (owner) => ({ owner, token: '0', bound: await store.bound() }) }
}
