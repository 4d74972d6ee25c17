import { createBus, defineEvent, memoryTransport, silentLogger, type } from '@evt/core'
import { outboxCases, outboxStoreCases } from '../src/conformance/index.ts'
import { memoryOutbox, memoryOutboxStore, memoryTransactions } from '../src/index.ts'

describe('the memory outbox store', () => {
  const create = async () => ({
    store: memoryOutboxStore(),
    transactions: memoryTransactions(),
    reopen: async () => memoryOutboxStore(),
  })
  for (const { name, run } of outboxStoreCases(create)) test(name, run)
})

describe('the memory outbox', () => {
  const create = async () => ({ outbox: memoryOutbox({ relay: false }), stranger: async () => memoryOutbox() })
  for (const { name, run } of outboxCases(create)) test(name, run)
})

test('an outbox works for one bus at a time: another is refused by name, and harms nobody by closing', async () => {
  const outbox = memoryOutbox()
  const Made = defineEvent('made', { schema: type<number>() })
  const busWith = (service: string) =>
    createBus({ service, outbox, transport: memoryTransport({ confirm: 'settled' }), logger: silentLogger })
  const first = busWith('first')
  let handled: (n: number) => void = () => {}
  const arrival = new Promise<number>((resolve) => {
    handled = resolve
  })
  await first.subscribe(Made, (n) => handled(n), { group: 'a' })
  const second = busWith('second')
  await expect(second.start()).rejects.toMatchObject({ code: 'EVT_OUTBOX_SHARED', details: { outbox: 'memory' } })
  await second.close()
  const third = busWith('third')
  await third.close()
  await outbox.run(() => first.publish(Made, 1))
  expect(await arrival).toBe(1)
  await first.close()
  const next = busWith('next')
  await next.start()
  await next.close()
})

test.each([
  ['memoryOutbox', () => memoryOutbox({ table: 'x' } as never), { option: 'table' }],
  ['memoryOutboxStore', () => memoryOutboxStore({ maxRows: 5 } as never), { option: 'maxRows' }],
  ['its relay', () => memoryOutbox({ relay: { bach: 5 } as never }), { option: 'bach' }],
])('an option of %s that nobody reads is refused by name', (_what, make, details) => {
  expect(make).toThrow(
    expect.objectContaining({ code: 'EVT_OPTION_UNKNOWN', details: expect.objectContaining(details) }),
  )
})
