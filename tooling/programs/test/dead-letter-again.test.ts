import { on, reject } from '@evt/core'
import { memoryDlqStore } from '@evt/dlq'
import { exactlyOnce, memoryInbox } from '@evt/idempotency'
import { memoryOutbox } from '@evt/outbox'
import { createTestBus } from '@evt/testing'
import { dlqAgain, OrderCreated } from '../src/package-readmes.ts'

test('a dead letter runs again when it is published under its id, and who has had it exactly once skips it', async () => {
  const deadLetters = memoryDlqStore()
  const outbox = memoryOutbox()
  const once = exactlyOnce({ transactions: outbox, inbox: memoryInbox() })
  const handled: string[] = []
  let isBroken = true
  const pay = on(
    OrderCreated,
    once(async () => {
      if (isBroken) reject('the gateway refuses')
      handled.push('payment')
    }),
    { group: 'payment' },
  )
  const report = on(
    OrderCreated,
    once(async () => void handled.push('report')),
    { group: 'report' },
  )
  await using bus = createTestBus({ subscriptions: [pay, report], outbox, deadLetters })
  await bus.publish(OrderCreated, { id: 'a' })
  await bus.settled()
  expect(handled).toEqual(['report'])
  isBroken = false
  const [letter] = (await deadLetters.list({ consumer: 'test/payment' })).entries
  await dlqAgain(deadLetters, bus, letter!.id)
  await bus.settled()
  expect(handled).toEqual(['report', 'payment'])
})
