import { defineEvent, evtError, memoryTransport, onBatch, type Transactions, type } from '@evt/core'
import { type ConformanceCase, eventually, expectThat, failureOf, gate } from '@evt/core/conformance'
import { exactlyOnce, type OnceBatchHandler } from '../exactly-once.ts'
import type { InboxHarness } from './inbox-cases.ts'
import { withBuses } from './with-buses.ts'

const Created = defineEvent('order.created', { schema: type<{ id: string }>() })
type Handler<Transaction> = OnceBatchHandler<'order.created', { id: string }, Transaction>

interface SetOptions {
  /** Message ids; payloads are the same. */
  readonly ids: readonly string[]
  readonly attempts?: number
  /** How many end acknowledged, and how many dead-lettered. */
  readonly acknowledged: number
  readonly deadLetters: number
  /** Put around the work of the run with this number, from 1: inside its transaction, or around all of it. */
  inside?(run: number, work: () => Promise<unknown>): Promise<unknown>
  around?(run: number, work: () => Promise<unknown>): Promise<unknown>
}

/** What becomes of a set where some of it fails, whether or not the inbox can take back a part of a transaction. */
export function setCases<Transaction>(create: () => Promise<InboxHarness<Transaction>>): readonly ConformanceCase[] {
  const check = (name: string, work: (harness: InboxHarness<Transaction>) => Promise<void>): ConformanceCase => ({
    name,
    async run() {
      const harness = await create()
      try {
        await work(harness)
      } finally {
        await harness.dispose?.()
      }
    },
  })
  /** Handles one set to its end; answers how often transactions ran, what was done before, and the dead letters. */
  const handleSet = async (
    { inbox, transactions }: InboxHarness<Transaction>,
    handler: Handler<Transaction>,
    { ids, attempts = 1, acknowledged, deadLetters, inside, around }: SetOptions,
  ) => {
    let runs = 0
    let duplicates = 0
    const run: Transactions<Transaction>['run'] = async (work) => {
      runs += 1
      const number = runs
      let result!: Awaited<ReturnType<typeof work>>
      const whole = () =>
        transactions.run(async (transaction) => {
          const within = async () => {
            result = await work(transaction)
          }
          await (inside === undefined ? within() : inside(number, within))
        })
      await (around === undefined ? whole() : around(number, whole))
      return result
    }
    const onDuplicate = () => {
      duplicates += 1
    }
    const once = exactlyOnce<Transaction>({ transactions: { run }, inbox, onDuplicate })
    const transport = memoryTransport()
    await withBuses(async (open) => {
      const bus = open({ transport })
      const settings = {
        ...({ group: 'a', ordered: 'none', batch: { maxItems: ids.length, lingerMs: 1_000 } } as const),
        retry: { attempts, backoff: { minMs: 1, maxMs: 1, jitter: false } },
      }
      const [subscription] = await bus.subscribe(onBatch(Created, once.batch(handler), settings))
      await bus.publishMany(ids.map((id) => Created.of({ id }, { id })))
      const isOver = () =>
        subscription!.stats().acknowledged >= acknowledged && transport.deadLetters().length >= deadLetters
      await eventually(isOver, 'each message ends', 15_000)
      expectThat(subscription!.stats().acknowledged === acknowledged, 'none is acknowledged beside these')
      expectThat(transport.deadLetters().length === deadLetters, 'none is dead-lettered beside these')
    })
    return { runs, duplicates }
  }
  const expectEffects = async ({ recorded }: InboxHarness<Transaction>, ...expected: readonly string[]) => {
    const effects = [...(await recorded())].sort().join()
    expectThat(effects === [...expected].sort().join(), `the effects are ${expected}: ${effects}`)
  }
  const eight = ['1', '2', '3', '4', '5', '6', '7', '8']
  const others = eight.filter((id) => id !== '6')

  return [
    check(
      'a message that fails in a set is entered again at its retry, and only what it did then has an effect',
      async (harness) => {
        const { record } = harness
        const handler: Handler<Transaction> = async (orders, deliveries, tx) => {
          for (const { id } of orders) await record(tx, id)
          const failing = deliveries.some(({ id, attempt }) => id === '6' && attempt === 1)
          if (failing) throw new Error('not yet')
        }
        const options = { ids: eight, attempts: 2, acknowledged: 8, deadLetters: 0 }
        const { duplicates } = await handleSet(harness, handler, options)
        expectThat(duplicates === 0, 'it is not taken for a duplicate of itself')
        await expectEffects(harness, ...eight)
      },
    ),
    check(
      'where the inbox has savepoints a set of which one message fails is one transaction, else one for each part',
      async (harness) => {
        const handler: Handler<Transaction> = async (orders, _deliveries, tx) => {
          for (const { id } of orders) await harness.record(tx, id)
          if (orders.some(({ id }) => id === '6')) throw new Error('never')
        }
        const { runs } = await handleSet(harness, handler, { ids: eight, acknowledged: 7, deadLetters: 1 })
        expectThat((runs === 1) === (harness.inbox.savepoints !== undefined), `${runs} transactions`)
        await expectEffects(harness, ...others)
      },
    ),
    check('what a part that failed left running reaches nothing any more', async (harness) => {
      const goOn = gate()
      const late: Promise<unknown>[] = []
      const handler: Handler<Transaction> = async (orders, _deliveries, tx) => {
        if (orders.some(({ id }) => id === '6')) {
          const floating = async () => {
            await goOn.opened
            await harness.record(tx, 'ghost')
          }
          if (late.length === 0) late.push(failureOf(floating()))
          throw new Error('never')
        }
        goOn.open()
        const refused = await Promise.all(late)
        expectThat(
          refused.every((error) => error !== undefined),
          'its handle has ended with it',
        )
        for (const { id } of orders) await harness.record(tx, id)
      }
      await handleSet(harness, handler, { ids: eight, acknowledged: 7, deadLetters: 1 })
      await expectEffects(harness, ...others)
    }),
    check('a nested run that failed in a part takes back that part and no other', async (harness) => {
      const handler: Handler<Transaction> = async (orders) => {
        for (const { id } of orders)
          await harness.transactions.run(async (tx) => {
            await harness.record(tx, id)
            if (id === '6') throw new Error('never')
          })
      }
      await handleSet(harness, handler, { ids: eight, acknowledged: 7, deadLetters: 1 })
      await expectEffects(harness, ...others)
    }),
    check('a set whose transaction is refused in the end is tried again in parts, each to an end', async (harness) => {
      const handler: Handler<Transaction> = async (orders, _deliveries, tx) => {
        for (const { id } of orders) await harness.record(tx, id)
        if (orders.some(({ id }) => id === '6')) throw new Error('never')
      }
      const inside = async (run: number, work: () => Promise<unknown>) => {
        await work()
        if (run === 1) throw new Error('refused at COMMIT')
      }
      await handleSet(harness, handler, { ids: eight, acknowledged: 7, deadLetters: 1, inside })
      await expectEffects(harness, ...others)
    }),
    check('nobody of a set with an unknown end is dead-lettered before the inbox has been asked', async (harness) => {
      let isLost = false
      const handler: Handler<Transaction> = async (orders, _deliveries, tx) => {
        for (const { id } of orders) await harness.record(tx, id)
        if (orders.some(({ id }) => id === '6') && !isLost) throw new Error('not before the answer is lost')
      }
      const around = async (_run: number, work: () => Promise<unknown>) => {
        await work()
        if (isLost) return
        isLost = true
        throw evtError('EVT_TX_OUTCOME_UNKNOWN', 'the connection was lost during COMMIT', { outbox: 'suite' })
      }
      await handleSet(harness, handler, { ids: eight, attempts: 1, acknowledged: 8, deadLetters: 0, around })
      await expectEffects(harness, ...eight)
    }),
    check('the second of two equal messages in a set is no duplicate of one that failed', async (harness) => {
      const handler: Handler<Transaction> = async (orders, _deliveries, tx) => {
        for (const { id } of orders) await harness.record(tx, id)
        if (orders.some(({ id }) => id === '6')) throw new Error('never')
      }
      await handleSet(harness, handler, { ids: ['6', '6', '7'], acknowledged: 1, deadLetters: 2 })
      await expectEffects(harness, '7')
    }),
  ]
}
