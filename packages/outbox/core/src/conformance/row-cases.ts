import { type ConformanceCase, expectThat, failureOf, gate } from '@evt/core/conformance'
import { type OutboxStoreFactory, positions, readAll, storedMessage, texts, withStore, write } from './harness.ts'

const hostile = [
  'NUL \0 in between',
  'half a pair \ud800',
  'other half \udc00 first',
  '\u0001 the marker',
  '"}]\\ \' -- ; drop table x; $1 {a,b} NULL',
  '\\x00 \\\\u0000 %s \u2028',
  'x'.repeat(1_000),
]

/** What a store of outbox rows must keep by itself. */
export function rowCases<Transaction>(create: OutboxStoreFactory<Transaction>): readonly ConformanceCase[] {
  return [
    {
      name: 'rows appear when their transaction commits, and not before',
      run: () =>
        withStore(create, async (harness) => {
          const { store, transactions } = harness
          const [written, finish] = [gate(), gate()]
          const running = transactions.run(async (transaction) => {
            await store.append(transaction, [storedMessage('1'), storedMessage('2')])
            written.open()
            await finish.opened
          })
          await written.opened
          expectThat((await store.bound()) === null, 'rows of an open transaction are not seen')
          finish.open()
          await running
          expectThat((await texts(store)).join() === '1,2', 'rows of a committed transaction are there, in order')
        }),
    },
    {
      name: 'rows of a transaction that rolled back never appear',
      run: () =>
        withStore(create, async (harness) => {
          const { store, transactions } = harness
          const error = await failureOf(
            transactions.run(async (transaction) => {
              await store.append(transaction, [storedMessage('lost')])
              throw new Error('no')
            }),
          )
          expectThat(error instanceof Error && error.message === 'no', "the work's own error is what run rejects with")
          await write(harness, [storedMessage('kept')])
          expectThat((await texts(store)).join() === 'kept', 'rolled-back rows never appear')
        }),
    },
    {
      name: 'of two transactions one after the other the rows of the first come first',
      run: () =>
        withStore(create, async (harness) => {
          for (let n = 0; n < 30; n += 1) await write(harness, [storedMessage(String(n))])
          const read = await texts(harness.store)
          expectThat(read.join() === Array.from({ length: 30 }, (_v, n) => n).join(), 'order is the order of commits')
        }),
    },
    {
      name: 'a row written early and committed late is found by the next read from the start',
      run: () =>
        withStore(create, async (harness) => {
          const { store, transactions } = harness
          const [written, finish] = [gate(), gate()]
          const late = transactions.run(async (transaction) => {
            await store.append(transaction, [storedMessage('late', { key: 'a' })])
            written.open()
            await finish.opened
          })
          await written.opened
          await write(harness, [storedMessage('early', { key: 'b' })])
          const first = await readAll(store)
          await store.delete(positions(first))
          finish.open()
          await late
          expectThat((await texts(store)).join() === 'late', 'nothing is skipped for having committed late')
        }),
    },
    {
      name: 'any string survives and aborts nobody’s transaction',
      run: () =>
        withStore(create, async (harness) => {
          const messages = hostile.map((text) =>
            storedMessage('x', { id: text, key: text, headers: { text, [text.slice(0, 20)]: 'name' } }),
          )
          const huge = Buffer.alloc(2_000_000, 255)
          await write(harness, [...messages, storedMessage('', { payload: huge, key: undefined })])
          const read = (await readAll(harness.store)).map((row) => row.message!)
          expectThat(read.length === hostile.length + 1, 'every row is there')
          for (const [index, text] of hostile.entries()) {
            const { id, key, headers } = read[index]!
            expectThat(id === text && key === text && headers.text === text, `unchanged: ${JSON.stringify(text)}`)
            expectThat(headers[text.slice(0, 20)] === 'name', 'names of headers are unchanged')
          }
          const last = read.at(-1)!
          expectThat(last.key === undefined && Buffer.compare(last.payload, huge) === 0, 'bytes are unchanged')
        }),
    },
    {
      name: 'a read ends at its upper position, its limit or its bytes, and goes on behind what it is given',
      run: () =>
        withStore(create, async (harness) => {
          const { store } = harness
          await write(
            harness,
            Array.from({ length: 10 }, (_v, n) => storedMessage(String(n))),
          )
          const upTo = (await readAll(store))[6]!.position
          const page = await readAll(store, { upTo, limit: 4 })
          expectThat(page.length === 4, 'a read without `after` begins at the start')
          const next = await readAll(store, { upTo, limit: 4, after: page.at(-1)!.position })
          expectThat(page.length === 4 && next.length === 3, 'a read ends at its limit and at its upper position')
          expectThat((await texts(store, { maxBytes: 3 })).join() === '0,1,2', 'a read ends once it has its bytes')
          expectThat((await readAll(store, { maxBytes: 1 })).length === 1, 'a read returns at least one row')
        }),
    },
    {
      name: 'a read leaves out blocked keys, and other transports',
      run: () =>
        withStore(create, async (harness) => {
          const { store } = harness
          const odd = 'half \ud800 of "a" key'
          await write(harness, [
            storedMessage('1', { key: odd }),
            storedMessage('2', { key: 'b' }),
            storedMessage('3', { key: undefined }),
            storedMessage('4', { key: 'b', transport: 'other' }),
          ])
          expectThat((await texts(store, { skipKeys: [odd] })).join() === '2,3,4', 'blocked keys are left out')
          const only = { transport: { only: 'main' } }
          expectThat((await texts(store, only)).join() === '1,2,3', 'one transport can be read alone')
          const noneOf = { transport: { noneOf: ['main'] } }
          expectThat((await texts(store, noneOf)).join() === '4', 'what belongs to none of some transports is found')
        }),
    },
    {
      name: 'deleting is idempotent and touches nothing else',
      run: () =>
        withStore(create, async (harness) => {
          const { store } = harness
          await write(harness, [storedMessage('1'), storedMessage('2')])
          const [first] = positions(await readAll(store))
          await Promise.all([store.delete([first!]), store.delete([first!])])
          await store.delete([first!])
          await store.delete([])
          expectThat((await texts(store)).join() === '2', 'only what was named is gone')
        }),
    },
    {
      name: 'committed rows survive as the store declares',
      run: () =>
        withStore(create, async (harness) => {
          await write(harness, [storedMessage('1')])
          const again = await harness.reopen()
          const { durability, scope } = await again.probe()
          const kept = (await texts(again)).length === 1
          expectThat(scope !== '', 'the scope is named')
          expectThat(kept === (durability !== 'volatile'), 'rows outlive their client unless the store is volatile')
        }),
    },
  ]
}
