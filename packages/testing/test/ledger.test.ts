import { memoryTransport } from '@evt/core'
import { failing } from '../src/index.ts'
import { createLedger } from '../src/ledger.ts'
import { consumeAs, outgoing } from './harness.ts'

test('the ledger has what was accepted, once for each id, and nothing that failed', async () => {
  const ledger = createLedger(failing(memoryTransport(), { publish: { when: ({ id }) => id === 'bad' } }))
  await ledger.transport.publish([outgoing('a'), outgoing('a'), outgoing('b'), outgoing('bad')])
  expect([...ledger.accepted]).toEqual(['a', 'b'])
})

test('the ledger leaves out consumers that are closed, however many of a group there were', async () => {
  const ledger = createLedger(memoryTransport())
  const [first, second] = [await consumeAs(ledger.transport, 'g'), await consumeAs(ledger.transport, 'g')]
  await ledger.transport.publish([outgoing('a')])
  await first.close()
  expect((await ledger.states()).map(({ state }) => [state.consumer, state.lag])).toEqual([['g', 1]])
  await second.close()
  expect(await ledger.states()).toEqual([])
})
