import { acknowledge, defineEvent, memoryTransport, on, onBatch, type Transactions, type } from '@evt/core'
import { type ConformanceCase, eventually, expectThat, failureOf, gate } from '@evt/core/conformance'
import { exactlyOnce } from '../exactly-once.ts'
import type { InboxStore } from '../inbox-store.ts'
import { lateCases } from './late-cases.ts'
import { setCases } from './set-cases.ts'
import { type OpenBus, withBuses } from './with-buses.ts'

/** An inbox that sees nothing of earlier ones, with transactions of the same place and an effect that is part of them. */
export interface InboxHarness<Transaction> {
  readonly inbox: InboxStore<Transaction>
  readonly transactions: Pick<Transactions<Transaction>, 'run'>
  /** Writes an effect with the transaction. */
  record(transaction: Transaction, effect: string): Promise<void>
  /** The effects that committed. */
  recorded(): Promise<readonly string[]>
  dispose?(): Promise<void>
}

const Created = defineEvent('order.created', { schema: type<{ id: string }>() })
const Paid = defineEvent('order.paid', { schema: type<{ id: string }>() })
const hostile = ['NUL \0', 'half \ud800', '\u0001', `"}]\\ ' -- {a,b} NULL`, 'x'.repeat(300), '']
const quick = { attempts: 3, backoff: { minMs: 1, maxMs: 1, jitter: false } } as const

/** Every promise an inbox must keep, alone and under `exactlyOnce`. */
export function inboxCases<Transaction>(create: () => Promise<InboxHarness<Transaction>>): readonly ConformanceCase[] {
  const check = (
    name: string,
    work: (harness: InboxHarness<Transaction>, open: OpenBus) => Promise<void>,
  ): ConformanceCase => ({
    name,
    async run() {
      const harness = await create()
      try {
        await withBuses((open) => work(harness, open))
      } finally {
        await harness.dispose?.()
      }
    },
  })
  const enter = ({ inbox, transactions }: InboxHarness<Transaction>, consumer: string, ...keys: readonly string[]) =>
    transactions.run((transaction) => inbox.enter(transaction, consumer, keys))

  return [
    check('a message entered and committed is done for its consumer, and for no other', async (harness) => {
      expectThat((await enter(harness, 'a', 'one')).join() === 'fresh', 'the first is fresh')
      expectThat((await enter(harness, 'a', 'one')).join() === 'done', 'the second is done')
      expectThat((await enter(harness, 'b', 'one')).join() === 'fresh', 'another consumer is unaffected')
    }),
    check('answers come one per key, in order, and a key given twice is done the second time', async (harness) => {
      await enter(harness, 'a', 'two')
      const answers = await enter(harness, 'a', 'one', 'two', 'one', 'three')
      expectThat(answers.join() === 'fresh,done,done,fresh', 'each key has its own answer')
    }),
    check('an attempt that failed does not suppress the next', async (harness) => {
      const { inbox, transactions } = harness
      await failureOf(
        transactions.run(async (transaction) => {
          await inbox.enter(transaction, 'a', ['one'])
          throw new Error('no')
        }),
      )
      expectThat((await enter(harness, 'a', 'one')).join() === 'fresh', 'what rolled back was never entered')
    }),
    check('a duplicate in flight is held, and waits for nobody', async (harness) => {
      const { inbox, transactions } = harness
      const [entered, finish] = [gate(), gate()]
      const first = transactions.run(async (transaction) => {
        await inbox.enter(transaction, 'a', ['one'])
        entered.open()
        await finish.opened
      })
      await entered.opened
      // Would hang here if it waited for the first transaction.
      expectThat((await enter(harness, 'a', 'one', 'two')).join() === 'held,fresh', 'the duplicate is held')
      finish.open()
      await first
      expectThat((await enter(harness, 'a', 'one')).join() === 'done', 'afterwards it is done')
    }),
    check('of many at once one is fresh', async (harness) => {
      const answers = await Promise.all(Array.from({ length: 15 }, () => enter(harness, 'a', 'one')))
      expectThat(answers.filter(([entered]) => entered === 'fresh').length === 1, 'one is fresh')
    }),
    check('any string is a key of its own', async (harness) => {
      expectThat(
        (await enter(harness, 'a', ...hostile)).every((entered) => entered === 'fresh'),
        'all are fresh',
      )
      expectThat(
        (await enter(harness, 'a', ...hostile)).every((entered) => entered === 'done'),
        'all are known again',
      )
    }),
    check('n concurrent deliveries of one id have one effect', async (harness, open) => {
      const { inbox, transactions, record, recorded } = harness
      let duplicates = 0
      const once = exactlyOnce({
        transactions,
        inbox,
        onDuplicate: () => {
          duplicates += 1
        },
      })
      const bus = open()
      const handler = once<'order.created', { id: string }>((order, _delivery, tx) => record(tx, order.id))
      const subscription = await bus.subscribe(Created, handler, { group: 'a' })
      await Promise.all(Array.from({ length: 20 }, () => bus.publish(Created, { id: '1' }, { id: 'same' })))
      await eventually(() => subscription.stats().acknowledged === 20, 'all are acknowledged', 15_000)
      expectThat((await recorded()).join() === '1', 'one effect')
      expectThat(duplicates === 19, 'the others are known as duplicates')
    }),
    check(
      'a failed first attempt is followed by one that has its effect, and other groups have theirs',
      async (harness, open) => {
        const { inbox, transactions, record, recorded } = harness
        const once = exactlyOnce({ transactions, inbox })
        const bus = open()
        let runs = 0
        const [first, second] = await bus.subscribe(
          on(
            Created,
            once(async (order, _delivery, tx) => {
              await record(tx, `a ${order.id}`)
              if (runs++ === 0) throw new Error('first')
            }),
            { group: 'a', retry: quick },
          ),
          on(
            Created,
            once((order, _delivery, tx) => record(tx, `b ${order.id}`)),
            { group: 'b' },
          ),
        )
        await bus.publish(Created, { id: '1' })
        await eventually(
          () => first!.stats().acknowledged + second!.stats().acknowledged === 2,
          'both are acknowledged',
        )
        expectThat([...(await recorded())].sort().join() === 'a 1,b 1', 'one effect per group')
      },
    ),
    check('a handler that ends with acknowledge has its effect, alone and in a batch', async (harness, open) => {
      const { inbox, transactions, record, recorded } = harness
      const once = exactlyOnce({ transactions, inbox })
      const bus = open()
      const subscriptions = await bus.subscribe(
        on(
          Created,
          once(async (order, _delivery, tx) => {
            await record(tx, `alone ${order.id}`)
            acknowledge()
          }),
          { group: 'alone' },
        ),
        onBatch(
          Created,
          once.batch(async (orders, _deliveries, tx) => {
            for (const order of orders) await record(tx, `batch ${order.id}`)
            acknowledge()
          }),
          { group: 'batch', batch: { maxItems: 2, lingerMs: 20 } },
        ),
      )
      await bus.publishMany(['1', '2'].map((id) => Created.of({ id })))
      const isOver = () => subscriptions.every((each) => each.stats().acknowledged === 2)
      await eventually(isOver, 'all are acknowledged')
      const effects = [...(await recorded())].sort().join()
      expectThat(effects === 'alone 1,alone 2,batch 1,batch 2', 'what is acknowledged is committed')
    }),
    check('what was rolled back is never acknowledged, however its handler ended', async (harness, open) => {
      const { inbox, transactions, record, recorded } = harness
      const once = exactlyOnce({ transactions, inbox })
      const transport = memoryTransport()
      const bus = open({ transport })
      const handler = once<'order.created', { id: string }>((order) =>
        transactions.run(async (tx) => {
          await record(tx, order.id)
          acknowledge()
        }),
      )
      await bus.subscribe(Created, handler, { group: 'a', retry: { attempts: 1 } })
      await bus.publish(Created, { id: '1' })
      await eventually(() => transport.deadLetters().length === 1, 'it is a failure like any other')
      expectThat((await recorded()).length === 0, 'the nested failure rolled everything back')
    }),
    check('two events of one consumer that share a message id are two messages', async (harness, open) => {
      const { inbox, transactions, record, recorded } = harness
      const once = exactlyOnce({ transactions, inbox })
      const bus = open()
      const [first, second] = await bus.subscribe(
        on(
          Created,
          once((order, _delivery, tx) => record(tx, `created ${order.id}`)),
          { group: 'a' },
        ),
        on(
          Paid,
          once((order, _delivery, tx) => record(tx, `paid ${order.id}`)),
          { group: 'a' },
        ),
      )
      await bus.publish(Created, { id: '1' }, { id: 'order-1' })
      await bus.publish(Paid, { id: '1' }, { id: 'order-1' })
      await eventually(() => first!.stats().acknowledged + second!.stats().acknowledged === 2, 'both are acknowledged')
      expectThat([...(await recorded())].sort().join() === 'created 1,paid 1', 'neither is taken for the other')
    }),
    check(
      'a message that fails in a batch fails alone, at less than twice the work where one in a hundred fails',
      async (harness, open) => {
        const { inbox, transactions, record, recorded } = harness
        const once = exactlyOnce({ transactions, inbox })
        const transport = memoryTransport()
        const bus = open({ transport })
        let handled = 0
        const subscription = await bus.subscribe(
          onBatch(
            Created,
            once.batch(async (orders, _deliveries, tx) => {
              handled += orders.length
              const broken = orders.find((order) => Number(order.id) % 100 === 37)
              if (broken !== undefined) throw new Error(`broken: ${broken.id}`)
              await record(tx, orders.map((order) => order.id).join('\n'))
            }),
            { group: 'a', ordered: 'none', batch: { maxItems: 25, lingerMs: 20 }, retry: { attempts: 1 } },
          ),
        )
        await bus.publishMany(Array.from({ length: 400 }, (_v, n) => Created.of({ id: String(n) })))
        const isOver = () => subscription[0]!.stats().acknowledged === 396 && transport.deadLetters().length === 4
        await eventually(isOver, 'four fail, all others are acknowledged', 15_000)
        const effects = (await recorded()).flatMap((text) => text.split('\n'))
        expectThat(effects.length === 396 && new Set(effects).size === 396, 'each of the others has its effect once')
        expectThat(handled < 800, `less than twice the work: ${handled} for 400`)
      },
    ),
    ...lateCases(create),
    ...setCases(create),
  ]
}
