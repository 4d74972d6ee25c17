import { isEvtError } from '@evt/core'
import { eventually, failureOf, gate } from '@evt/core/conformance'
import { manualClock } from './manual-clock.ts'
import { failing, fixture } from './relay-fixture.ts'

describe('drain', () => {
  test('publishes everything that waits and tells how much', async () => {
    const { relay, write, attach } = fixture({ batch: 2 })
    await write('a1', 'a2', 'b1', 'a3', 'c1')
    attach()
    expect(await relay.drain({ budgetMs: 5_000 })).toEqual({ published: 5, remaining: 0 })
    expect(await relay.drain({ budgetMs: 5_000 })).toEqual({ published: 0, remaining: 0 })
  })
  test('begins nothing once its budget is spent, and leaves the rest for later', async () => {
    const clock = manualClock()
    const { relay, write, attach } = fixture({ batch: 1 })
    await write('a1', 'a2', 'a3')
    attach(() => clock.advance(60).then(() => []), { clock })
    const spent = await relay.drain({ budgetMs: 100 })
    expect(spent).toEqual({ published: 2, remaining: 1 })
    expect((await relay.drain({ budgetMs: 1_000 })).remaining).toBe(0)
  })
  test('ends when its signal aborts', async () => {
    const { relay, write, attach } = fixture({ batch: 1 })
    await write('a1', 'a2', 'a3')
    const controller = new AbortController()
    attach(() => {
      controller.abort()
      return []
    })
    expect(await relay.drain({ budgetMs: 60_000, signal: controller.signal })).toEqual({ published: 1, remaining: 2 })
  })
  test('returns at an abort even though a transport never answers, and goes on another time', async () => {
    const { relay, write, attach } = fixture({ batch: 1 })
    await write('a1', 'a2')
    const controller = new AbortController()
    const hang = gate()
    attach(() => {
      controller.abort()
      return hang.opened.then(() => [])
    })
    expect(await relay.drain({ budgetMs: 60_000, signal: controller.signal })).toEqual({ published: 0, remaining: 2 })
    hang.open()
    await eventually(async () => (await relay.drain({ budgetMs: 5_000 })).remaining === 0, 'the rest is published')
  })
  test('waits for a transport that confirms when handled', async () => {
    const { relay, write, attach } = fixture()
    await write('a1', 'b1')
    attach(() => new Promise((resolve) => setImmediate(() => resolve([]))), { confirms: 'settled' })
    expect(await relay.drain({ budgetMs: 5_000 })).toEqual({ published: 2, remaining: 0 })
  })
  test('publishes nothing while another relay leads, and stops at a transport that is down', async () => {
    const { store, relay, write, attach } = fixture()
    await write('a1', 'b1')
    attach(failing('unavailable', 'a1', 'b1'))
    expect(await relay.drain({ budgetMs: 60_000 })).toEqual({ published: 0, remaining: 2 })
    await store.lead('other', 60_000)
    expect(await relay.drain({ budgetMs: 60_000 })).toEqual({ published: 0, remaining: 2 })
  })
  test('before the outbox belongs to a bus it is EVT_OUTBOX_NOT_STARTED', async () => {
    expect(isEvtError(await failureOf(fixture().relay.drain({ budgetMs: 1 })), 'EVT_OUTBOX_NOT_STARTED')).toBe(true)
  })
})
