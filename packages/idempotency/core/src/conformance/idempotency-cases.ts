import { defineEvent, memoryTransport, on, reject, type } from '@evt/core'
import { type ConformanceCase, eventually, expectThat } from '@evt/core/conformance'
import { idempotency } from '../idempotency.ts'
import type { Claim, Claimed, IdempotencyStore } from '../idempotency-store.ts'
import { type OpenBus, withBuses } from './with-buses.ts'

export interface IdempotencyHarness {
  readonly store: IdempotencyStore
  dispose?(): Promise<void>
}

const Created = defineEvent('order.created', { schema: type<{ id: string }>() })
const Paid = defineEvent('order.paid', { schema: type<{ id: string }>() })
const hostile = ['NUL \0', 'half \ud800', '\u0001', `"}]\\ ' -- {a,b} NULL`, 'x'.repeat(300), '']
const longLeaseMs = 60_000
const shortLeaseMs = 150
const quick = { attempts: 3, backoff: { minMs: 1, maxMs: 1, jitter: false } } as const

/** Every promise a store of claims must keep, alone and under the `idempotency` middleware. */
export function idempotencyCases(create: () => Promise<IdempotencyHarness>): readonly ConformanceCase[] {
  const check = (name: string, work: (store: IdempotencyStore, open: OpenBus) => Promise<void>): ConformanceCase => ({
    name,
    async run() {
      const harness = await create()
      try {
        await withBuses((open) => work(harness.store, open))
      } finally {
        await harness.dispose?.()
      }
    },
  })
  const ask = async (store: IdempotencyStore, owner: string, leaseMs = longLeaseMs, consumer = 'a', key = 'one') => {
    const [claimed] = await store.claim(consumer, [key], { owner, leaseMs })
    return claimed!
  }
  const claimOf = (claimed: Claimed, owner: string): Claim => {
    expectThat(claimed.status === 'claimed', `${owner} has the claim`)
    return { consumer: 'a', key: 'one', owner, fence: claimed.fence }
  }

  return [
    check('a message is claimed by one, held for others, and done once completed', async (store) => {
      const mine = claimOf(await ask(store, 'x'), 'x')
      const held = await ask(store, 'y')
      expectThat(held.status === 'held', 'others find it held')
      expectThat(held.retryAfterMs > 0 && held.retryAfterMs <= longLeaseMs, 'and are told for how long at most')
      expectThat((await ask(store, 'x')).status === 'held', 'claiming is not renewing')
      expectThat((await store.complete([mine], longLeaseMs)).join() === 'true', 'its owner completes it')
      expectThat((await ask(store, 'y')).status === 'done', 'then it is done')
      expectThat((await ask(store, 'y', longLeaseMs, 'b')).status === 'claimed', 'another consumer is unaffected')
    }),
    check('a claim given back can be taken at once, and its fence grows', async (store) => {
      const first = claimOf(await ask(store, 'x'), 'x')
      expectThat((await store.release([first])).join() === 'true', 'its owner gives it back')
      const second = claimOf(await ask(store, 'y'), 'y')
      expectThat(second.fence > first.fence, 'the fence has grown')
      for (const late of [store.renew([first], 1), store.complete([first], 1), store.release([first])]) {
        expectThat((await late).join() === 'false', 'who gave it back can do nothing more')
      }
    }),
    check('a lost claim can be neither renewed nor completed nor given back', async (store) => {
      const lost = claimOf(await ask(store, 'x', shortLeaseMs), 'x')
      let taken: Claimed = await ask(store, 'y')
      await eventually(async () => {
        if (taken.status !== 'claimed') taken = await ask(store, 'y')
        return taken.status === 'claimed'
      }, 'a claim ends with its lease')
      const mine = claimOf(taken, 'y')
      expectThat(mine.fence > lost.fence, 'the fence has grown')
      for (const late of [store.renew([lost], 1), store.complete([lost], 1), store.release([lost])]) {
        expectThat((await late).join() === 'false', 'the former owner has no effect')
      }
      const forged = { ...lost, fence: mine.fence }
      expectThat((await store.complete([forged], 1)).join() === 'false', 'the owner is compared')
      const stale = { ...mine, fence: lost.fence }
      expectThat((await store.complete([stale], 1)).join() === 'false', 'the fence is compared')
      expectThat((await ask(store, 'z')).status === 'held', 'the new owner still has it')
      expectThat((await store.complete([mine], longLeaseMs)).join() === 'true', 'and completes it')
    }),
    check('a claim that is renewed outlives its first lease', async (store) => {
      const mine = claimOf(await ask(store, 'x', shortLeaseMs), 'x')
      expectThat((await store.renew([mine], longLeaseMs)).join() === 'true', 'its owner renews it')
      const endMs = performance.now() + 2 * shortLeaseMs
      await eventually(() => performance.now() > endMs, 'time passes')
      expectThat((await ask(store, 'y')).status === 'held', 'it is held still')
    }),
    check('what is done is forgotten after its time', async (store) => {
      await store.complete([claimOf(await ask(store, 'x'), 'x')], shortLeaseMs)
      await eventually(async () => (await ask(store, 'y')).status === 'claimed', 'it can be claimed again')
    }),
    check('of many that claim at once one has the claim', async (store) => {
      const answers = await Promise.all(Array.from({ length: 20 }, (_v, n) => ask(store, `owner-${n}`)))
      expectThat(answers.filter(({ status }) => status === 'claimed').length === 1, 'one has it')
      expectThat(
        answers.every(({ status }) => status !== 'done'),
        'nobody is told that it is done',
      )
    }),
    check(
      'answers come one per key, in order, for any strings, and of two equal keys one is claimed',
      async (store) => {
        const owner = 'x'
        const first = await store.claim('a', hostile.slice(0, 1), { owner, leaseMs: longLeaseMs })
        expectThat(first[0]!.status === 'claimed', 'claimed')
        const keys = [...hostile, hostile[1]!]
        const answers = await store.claim('a', keys, { owner: 'y', leaseMs: longLeaseMs })
        expectThat(answers.map(({ status }) => status === 'held').indexOf(true) === 0, 'the first was held')
        expectThat(
          answers.at(-1)!.status === 'held' && answers.length === keys.length,
          'the second of two equals is held',
        )
        const claims = hostile.slice(1).map((key, index): Claim => {
          const answer = answers[index + 1]!
          expectThat(answer.status === 'claimed', `claimed: ${JSON.stringify(key)}`)
          return { consumer: 'a', key, owner: 'y', fence: answer.fence }
        })
        const wrong = { ...claims[0]!, owner: 'z' }
        const completed = await store.complete([claims[0]!, wrong, ...claims.slice(1)], longLeaseMs)
        expectThat(completed.join() === ['true', 'false', ...claims.slice(1).map(() => 'true')].join(), 'in order')
        expectThat((await store.complete([], 1)).length === 0 && (await store.release([])).length === 0, 'none is none')
      },
    ),
    check('n concurrent deliveries of one id have one effect, and another group has its own', async (store, open) => {
      const protect = idempotency({ store })
      const bus = open({ use: [protect] })
      const effects: string[] = []
      const [a, b] = await bus.subscribe(
        on(Created, async (order) => void effects.push(`a ${order.id}`), { group: 'a' }),
        on(Created, async (order) => void effects.push(`b ${order.id}`), { group: 'b' }),
      )
      await Promise.all(Array.from({ length: 20 }, () => bus.publish(Created, { id: '1' }, { id: 'same' })))
      await eventually(() => a!.stats().acknowledged + b!.stats().acknowledged === 40, 'all are acknowledged', 15_000)
      expectThat(effects.sort().join() === 'a 1,b 1', 'one effect per group')
      expectThat(protect.stats().duplicates === 38 && protect.stats().uncompleted === 0, 'the others are duplicates')
    }),
    check('a failed attempt does not suppress the next, and each has a higher fence', async (store, open) => {
      const bus = open({ use: [idempotency({ store })] })
      const fences: bigint[] = []
      const subscription = await bus.subscribe(
        Created,
        async (_order, delivery) => {
          fences.push(delivery.fence)
          if (fences.length < 3) throw new Error('not yet')
        },
        { group: 'a', retry: quick },
      )
      await bus.publish(Created, { id: '1' })
      await eventually(() => subscription.stats().acknowledged === 1, 'the third attempt succeeds')
      expectThat(fences.length === 3 && fences[0]! < fences[1]! && fences[1]! < fences[2]!, 'three runs, rising fences')
    }),
    check('a rejected message can be replayed under its own id', async (store, open) => {
      const transport = memoryTransport()
      const bus = open({ transport, use: [idempotency({ store })] })
      let runs = 0
      const handler = async () => {
        runs += 1
        if (runs === 1) reject('no')
      }
      const subscription = await bus.subscribe(Created, handler, { group: 'a' })
      await bus.publish(Created, { id: '1' }, { id: 'same' })
      await eventually(() => transport.deadLetters().length === 1, 'it is dead-lettered')
      await bus.publish(Created, { id: '1' }, { id: 'same' })
      await eventually(() => subscription.stats().acknowledged === 1, 'the replay is handled')
      expectThat(runs === 2, 'and not taken for a duplicate')
    }),
    check('two events of one consumer that share a message id are two messages', async (store, open) => {
      const use = [idempotency({ store })]
      const bus = open({ use })
      const effects: string[] = []
      await bus.subscribe(
        on(Created, async () => void effects.push('created'), { group: 'a' }),
        on(Paid, async () => void effects.push('paid'), { group: 'a' }),
      )
      await bus.publish(Created, { id: '1' }, { id: 'order-1' })
      await bus.publish(Paid, { id: '1' }, { id: 'order-1' })
      await eventually(() => effects.length === 2, 'both are handled')
    }),
    check('a claim is renewed while its handler runs', async (store, open) => {
      const protect = idempotency({ store, leaseMs: shortLeaseMs })
      const bus = open({ use: [protect] })
      let runs = 0
      const handler = async () => {
        runs += 1
        const endMs = performance.now() + 4 * shortLeaseMs
        await eventually(() => performance.now() > endMs, 'time passes')
      }
      const subscription = await bus.subscribe(Created, handler, { group: 'a' })
      await bus.publish(Created, { id: '1' }, { id: 'same' })
      await bus.publish(Created, { id: '1' }, { id: 'same' })
      await eventually(() => subscription.stats().acknowledged === 2, 'both are acknowledged')
      expectThat(runs === 1, 'the duplicate never got the claim')
    }),
  ]
}
