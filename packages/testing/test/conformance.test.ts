import { memoryTransport, type Transport } from '@evt/core'
import { transportCases } from '@evt/core/conformance'
import { blocking, duplicating, failing, recording, reordering } from '../src/index.ts'

const wrapped: Record<string, (transport: Transport) => Transport> = {
  recording,
  'reordering with a window of one': (transport) => reordering(transport, { window: 1 }),
  'reordering with a window of eight': (transport) => reordering(transport, { window: 8, gatherMs: 1 }),
  'failing that does not fail': (transport) => failing(transport, {}),
  'blocking that does not block': (transport) => blocking(transport, []),
  'duplicating that does not duplicate': (transport) => duplicating(transport, { share: 0 }),
}

describe.each(Object.entries(wrapped))('the memory transport under %s', (_name, wrap) => {
  for (const { name, run } of transportCases({ create: async () => wrap(memoryTransport()) })) test(name, run)
})
