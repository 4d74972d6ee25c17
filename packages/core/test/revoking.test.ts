import type { ConsumerEvents, DeadLetters, Transport } from '../src/index.ts'
import { deadLetterStore, door, Keyed, makeRig, type RigOptions, Tick } from './rig.ts'
import { settle } from './virtual-clock.ts'

/** A rig over a transport that reads once and then has its partition revoked, with its settlements and when that has ended. */
function revocable(options: RigOptions['bus'] = {}) {
  let events: ConsumerEvents | undefined
  const log: string[] = []
  const wrap = (transport: Transport): Transport => ({
    ...transport,
    async consume(spec, told) {
      events = told
      let hasRead = false
      const consumer = await transport.consume(spec, told)
      return {
        ...consumer,
        async read(room, signal) {
          if (hasRead) await new Promise((resolve) => signal.addEventListener('abort', resolve))
          hasRead = true
          return consumer.read(room, signal)
        },
        settle(batch) {
          log.push(...batch.map(({ as }) => as))
          return consumer.settle(batch)
        },
      }
    },
  })
  const revoke = async (deadlineMs: number) => {
    await events!.revoking([0], deadlineMs)
    log.push('revoked')
  }
  return { rig: makeRig({ wrap, bus: options }), log, revoke }
}

test('a handler that fails while its partition is revoked has its message given back in time, not kept for a retry', async () => {
  // promises 13 and 16
  const { rig, log, revoke } = revocable()
  await using _rig = rig
  const fail = door()
  await rig.bus.publish(Keyed, { n: 1 })
  const failing = () => fail.opened.then(() => Promise.reject(new Error('not now')))
  await rig.bus.subscribe(Keyed, failing, { group: 'a' })
  await settle()
  const revoked = revoke(500)
  await rig.clock.advance(100)
  expect(log).toEqual([])
  fail.open()
  await rig.clock.advance(100)
  expect(log).toEqual(['release', 'revoked'])
  await revoked
})

test('a message that is being dead-lettered while its partition is revoked is settled before that', async () => {
  const kept = door()
  const append: DeadLetters['append'] = () => kept.opened
  const { rig, log, revoke } = revocable({ deadLetters: deadLetterStore(append) })
  await using _rig = rig
  await rig.bus.publish(Tick, { n: 1 })
  await rig.bus.subscribe(Tick, () => Promise.reject(new Error('no')), { group: 'a', retry: { attempts: 1 } })
  await settle()
  const revoked = revoke(500)
  await rig.clock.advance(100)
  kept.open()
  await rig.clock.advance(100)
  expect(log).toEqual(['ack', 'revoked'])
  await revoked
})
