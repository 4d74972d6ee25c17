import { defineEvent, evtError, memoryTransport, onBatch, type Subscription, type Transactions, type } from '@evt/core'
import { type ConformanceCase, eventually, expectThat } from '@evt/core/conformance'
import { type ExactlyOnce, exactlyOnce } from '../exactly-once.ts'
import type { InboxHarness } from './inbox-cases.ts'
import { withBuses } from './with-buses.ts'

const Created = defineEvent('order.created', { schema: type<{ id: string }>() })
const group = 'a'
const timeoutMs = 500
const attempts = (most: number) => ({ attempts: most, backoff: { minMs: 1, maxMs: 1, jitter: false } })

type Run<Transaction> = Transactions<Transaction>['run']
interface Late<Transaction> extends InboxHarness<Transaction> {
  readonly once: ExactlyOnce<Transaction>
  /** Puts something around the transactions of the run with this number, from 1. */
  around: (number: number, run: () => Promise<unknown>) => Promise<unknown>
  /** Resolves when so many runs have passed their timeout. */
  timedOut(runs: number): Promise<void>
  subscription: Subscription | undefined
  readonly duplicates: () => number
}

/** What a run comes to that ends after its timeout: no message with an effect is dead-lettered, and no effect is doubled. */
export function lateCases<Transaction>(create: () => Promise<InboxHarness<Transaction>>): readonly ConformanceCase[] {
  const check = (name: string, effects: string, work: (late: Late<Transaction>) => Promise<void>): ConformanceCase => ({
    name,
    async run() {
      const harness = await create()
      let runs = 0
      let duplicates = 0
      const onDuplicate = () => {
        duplicates += 1
      }
      const run: Run<Transaction> = async (inside) => {
        runs += 1
        let result!: Awaited<ReturnType<typeof inside>>
        await late.around(runs, async () => {
          result = (await harness.transactions.run(inside)) as typeof result
        })
        return result
      }
      const late: Late<Transaction> = {
        ...harness,
        once: exactlyOnce({ transactions: { run }, inbox: harness.inbox, onDuplicate }),
        around: (_number, inner) => inner(),
        timedOut: (count) => eventually(() => late.subscription!.stats().timedOut >= count, 'it times out'),
        subscription: undefined,
        duplicates: () => duplicates,
      }
      try {
        await work(late)
        expectThat([...(await harness.recorded())].sort().join() === effects, `the effects are ${effects}`)
      } finally {
        await harness.dispose?.()
      }
    },
  })
  /** Publishes one order and waits until it is acknowledged; it must not be dead-lettered on the way. */
  const handleOne = (late: Late<Transaction>, most: number, handle: (signal: AbortSignal) => Promise<void>) =>
    withBuses(async (open) => {
      const transport = memoryTransport()
      const bus = open({ transport })
      const handler = late.once<'order.created', { id: string }>(async ({ id }, { signal }, tx) => {
        await late.record(tx, id)
        await handle(signal)
      })
      late.subscription = await bus.subscribe(Created, handler, { group, timeoutMs, retry: attempts(most) })
      await bus.publish(Created, { id: '1' })
      await eventually(
        () => late.subscription!.stats().acknowledged === 1 || transport.deadLetters().length > 0,
        'it ends',
      )
      expectThat(transport.deadLetters().length === 0, 'it is not dead-lettered')
    })
  const quickly = async () => undefined

  return [
    check('a commit that ends after the timeout counts', '1', async (late) => {
      late.around = async (_number, run) => {
        await run()
        await late.timedOut(1)
      }
      await handleOne(late, 1, quickly)
      expectThat(late.duplicates() === 0, 'it is not run again')
    }),
    check(
      'a run that its timeout ended before the commit leaves nothing, though its handler went on',
      '1',
      async (late) => {
        let ended = 0
        await handleOne(late, 1_000, async (signal) => {
          if (ended > 0) return
          await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
          ended += 1
        })
        expectThat(late.duplicates() === 0, 'the run that was too late had not committed')
      },
    ),
    check('runs that time out before the inbox has answered burn no attempt', '1', async (late) => {
      late.around = async (number, run) => {
        if (number <= 2) await late.timedOut(number)
        await run()
      }
      await handleOne(late, 1, quickly)
    }),
    check('an unknown commit is asked of the inbox, also when runs before the answer time out', '1', async (late) => {
      late.around = async (number, run) => {
        if (number === 2) await late.timedOut(2)
        await run()
        if (number > 1) return
        await late.timedOut(1)
        throw evtError('EVT_TX_OUTCOME_UNKNOWN', 'the connection was lost during COMMIT', { outbox: 'suite' })
      }
      await handleOne(late, 1, quickly)
      expectThat(late.duplicates() === 1, 'the inbox knew it')
    }),
    check(
      'a batch whose commit ends after the timeout counts, and one that was too late leaves nothing',
      '2 1,2 2',
      (late) =>
        withBuses(async (open) => {
          const transport = memoryTransport()
          const bus = open({ transport })
          const runs: number[] = []
          late.around = async (number, run) => {
            await run()
            if (number === 2) await late.timedOut(4)
          }
          const handler = late.once.batch<'order.created', { id: string }>(async (orders, deliveries, tx) => {
            runs.push(orders.length)
            for (const { id } of orders) await late.record(tx, `${deliveries[0]!.attempt} ${id}`)
            if (runs.length === 1) await late.timedOut(2)
          })
          const batch = { maxItems: 2, lingerMs: 1_000 }
          const settings = { group, timeoutMs, batch, ordered: 'none', retry: attempts(2) } as const
          ;[late.subscription] = await bus.subscribe(onBatch(Created, handler, settings))
          await bus.publishMany(['1', '2'].map((id) => Created.of({ id })))
          const over = () => late.subscription!.stats().acknowledged === 2 || transport.deadLetters().length > 0
          await eventually(over, 'both end')
          expectThat(transport.deadLetters().length === 0, 'none is dead-lettered')
          expectThat(runs.join() === '2,2', `no half was tried on its own: ${runs.join()}`)
        }),
    ),
  ]
}
