import type { DeadLetterEntry, Refusal, Settlement, Transport } from '../src/index.ts'
import { type Door, deadLetterStore, door, makeRig, type Numbered, type Rig, readAs, Tick } from './rig.ts'
import { settle } from './virtual-clock.ts'

/** A rig whose messages are suspects, and whose recording of a start answers when and what the test says. */
function suspectRig(recorded: (batch: readonly Settlement[]) => Promise<readonly Refusal[]>): {
  readonly rig: Rig
  readonly log: string[]
} {
  const log: string[] = []
  const wrap = (memory: Transport): Transport => {
    const transport = readAs(() => ({ suspect: true }))(memory)
    return {
      ...transport,
      async consume(spec, events) {
        const consumer = await transport.consume(spec, events)
        return {
          ...consumer,
          async settle(batch) {
            for (const { as } of batch) log.push(as)
            if (batch.some(({ as }) => as === 'started')) return recorded(batch)
            return consumer.settle(batch)
          },
        }
      },
    }
  }
  return { rig: makeRig({ wrap }), log }
}
const subscribe = (rig: Rig, handler: (tick: Numbered) => void) => rig.bus.subscribe(Tick, handler, { group: 'a' })

test('a suspect whose start could not be recorded before the subscription closed is not started by the close', async () => {
  // promise 13
  const { rig } = suspectRig(() => Promise.reject(new Error('the server is away')))
  await using _rig = rig
  const handled: number[] = []
  const subscription = await subscribe(rig, ({ n }) => void handled.push(n))
  await rig.bus.publish(Tick, { n: 1 })
  await settle()
  const closing = subscription.close({ deadlineMs: 1_000 })
  await rig.clock.advance(10_000)
  await closing
  await rig.clock.advance(60_000)
  expect(handled).toEqual([])
})

test('a suspect whose start is recorded while the subscription closes goes back unhandled', async () => {
  // promise 13
  const answered: Door = door()
  const { rig, log } = suspectRig(async () => {
    await answered.opened
    return []
  })
  await using _rig = rig
  const handled: number[] = []
  const subscription = await subscribe(rig, ({ n }) => void handled.push(n))
  await rig.bus.publish(Tick, { n: 1 })
  await settle()
  const closing = subscription.close({ deadlineMs: 1_000 })
  await settle()
  answered.open()
  await closing
  expect(handled).toEqual([])
  expect(log).toEqual(['started', 'release'])
})

test('a suspect whose lease turns out to be lost when its start is recorded is not handled here', async () => {
  // promise 8
  let refusing = true
  const { rig, log } = suspectRig(async (batch) =>
    refusing ? batch.map(({ delivery }) => ({ delivery, reason: 'the lease was lost' })) : [],
  )
  await using _rig = rig
  const handled: number[] = []
  const subscription = await subscribe(rig, ({ n }) => void handled.push(n))
  await rig.bus.publish(Tick, { n: 1 })
  await settle()
  expect(handled).toEqual([])
  expect(subscription.stats()).toMatchObject({ lost: 1, inFlight: 0 })
  // The next one finds its way free.
  refusing = false
  await rig.bus.publish(Tick, { n: 2 })
  await settle()
  expect(handled).toEqual([2])
  expect(log).toEqual(['started', 'started', 'ack'])
})

test('a message that ended its process too often is not run again while its dead letter cannot be kept', async () => {
  const letters: DeadLetterEntry[] = []
  let isDown = true
  const deadLetters = deadLetterStore(async (entries) => {
    if (isDown) throw new Error('the store is away')
    letters.push(...entries)
  })
  const wrap = readAs(() => ({ suspect: true, attempt: 6 }))
  await using rig = makeRig({ wrap, bus: { deadLetters } })
  const handled: number[] = []
  await subscribe(rig, ({ n }) => void handled.push(n))
  await rig.bus.publish(Tick, { n: 1 })
  await rig.clock.advance(3_500)
  isDown = false
  await rig.clock.advance(1_000)
  expect(handled).toEqual([])
  expect(letters).toMatchObject([{ attempts: 5, history: [{ code: 'EVT_POISON', attempt: 5 }] }])
})
