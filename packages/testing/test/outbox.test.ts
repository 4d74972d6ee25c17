import { defineEvent, type EventDefinition, type Outbox, type RelayTarget, type StoredMessage, type } from '@evt/core'
import { createTestBus } from '../src/index.ts'

const Tick: EventDefinition<'tick', number> = defineEvent('tick', { schema: type<number>() })

/** Rows in memory and a relay that polls every second: as much of an outbox as the test bus asks for. */
function pollingOutbox(relay = true): Outbox<object> & { count(): Promise<{ waiting: number }> } {
  const rows: StoredMessage[] = []
  const relayAll = async (target: RelayTarget) => {
    while (rows.length > 0) {
      await target.publish(rows[0]!.transport, [rows[0]!])
      rows.shift()
    }
    poll(target)
  }
  const poll = (target: RelayTarget) => {
    target.clock.startTimer(() => void relayAll(target), 1_000)
  }
  return {
    name: 'polling',
    ambient: () => undefined,
    append: async (_transaction, messages) => void rows.push(...messages),
    store: async (messages) => void rows.push(...messages),
    start: async (target) => (relay ? poll(target) : undefined),
    stop: async () => {},
    health: async () => ({ name: 'outbox:polling', status: 'healthy' }),
    count: async () => ({ waiting: rows.length }),
  }
}

test('settled waits until the outbox is empty and what it published is handled', async () => {
  const seen: number[] = []
  await using bus = createTestBus({ outbox: pollingOutbox() })
  await bus.subscribe(Tick, (tick) => void seen.push(tick), { group: 'g' })
  expect(await bus.publish(Tick, 1, { transaction: {} })).toMatchObject({ via: 'outbox' })
  expect(bus.published(Tick)).toEqual([])
  await bus.settled()
  expect([seen, bus.published(Tick), bus.clock.monotonicMs()]).toEqual([[1], [1], 1_000])
})

test('an outbox that nobody empties makes settled reject, saying so', async () => {
  await using bus = createTestBus({ outbox: pollingOutbox(false), deadlineMs: 80 })
  await bus.publish(Tick, 1, { transaction: {} })
  await expect(bus.settled()).rejects.toThrow('the outbox has 1 messages left')
})

test('an outbox that cannot count its rows is refused', () => {
  const { count, ...uncounted } = pollingOutbox()
  expect(count).toBeDefined()
  expect(() => createTestBus({ outbox: uncounted as never })).toThrow(/outbox.count/)
})
