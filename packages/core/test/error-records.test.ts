import { readErrorHistory } from '../src/index.ts'
import { makeRig, Tick } from './rig.ts'
import { settle } from './virtual-clock.ts'

// S18: what a handler throws is kept with the dead letter as a few bounded texts, and nothing else of it is looked at.

const long = 'x'.repeat(1_000_000)

test('of an error without bounds a dead letter keeps bounded texts, whichever part it is that has none', async () => {
  await using rig = makeRig()
  const error = Object.assign(new Error(long), { code: long, name: long })
  const throws = () => {
    throw error
  }
  await rig.bus.subscribe(Tick, throws, { group: 'a', retry: { attempts: 1 } })
  await rig.bus.publish(Tick, { n: 1 })
  await settle()
  const [letter] = rig.transport.deadLetters()
  expect(letter!.history).toHaveLength(1)
  expect(JSON.stringify([letter!.reason, letter!.history]).length).toBeLessThan(10_000)
})

test('an error that contains itself and has getters is kept, and none of its getters runs', async () => {
  await using rig = makeRig()
  let runs = 0
  const error: Error & { cause?: unknown } = new Error('a loop')
  error.cause = { error, again: [error] }
  for (const name of ['details', 'request', 'toJSON', 'stack', 'cause_'])
    Object.defineProperty(error, name, {
      enumerable: true,
      get() {
        runs += 1
        return error
      },
    })
  const throws = () => {
    throw error
  }
  await rig.bus.subscribe(Tick, throws, { group: 'a', retry: { attempts: 1 } })
  await rig.bus.publish(Tick, { n: 1 })
  await settle()
  expect(rig.transport.deadLetters()[0]!.history).toMatchObject([{ name: 'Error', message: 'a loop', attempt: 1 }])
  expect(runs).toBe(0)
})

test('errors beside a dead letter that somebody else wrote are left out, those of ours are read', () => {
  const record = { attempt: 1, name: 'Error', message: 'no', at: '2026-01-01T00:00:00.000Z' }
  const coded = { ...record, attempt: 2, code: 'E1' }
  expect(readErrorHistory(JSON.stringify([record, coded]))).toEqual([record, coded])
  for (const strange of [null, 7, 'text', [], {}, { ...record, attempt: '1' }, { ...record, code: 5 }])
    expect(readErrorHistory(JSON.stringify([strange, record]))).toEqual([record])
  for (const text of [undefined, '', 'no JSON', 'null', '7', '{"a":1}']) expect(readErrorHistory(text)).toEqual([])
})
