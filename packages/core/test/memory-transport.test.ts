import { codecCases, transportCases } from '../src/conformance/index.ts'
import { jsonCodec, type MemoryTransportOptions, memoryTransport, type Transport } from '../src/index.ts'

/** Core knows its own memory transport and takes short cuts with it. A wrapped one it treats like any other. */
const wrapped = async (): Promise<Transport> => ({ ...memoryTransport() })
const modes: Record<string, MemoryTransportOptions> = {
  'the memory transport': {},
  'the memory transport that confirms when settled': { confirm: 'settled' },
  'the memory transport by reference': { byReference: true },
  'the memory transport by reference that confirms when settled': { byReference: true, confirm: 'settled' },
}

for (const [mode, options] of Object.entries(modes)) {
  describe(mode, () => {
    for (const { name, run } of transportCases({ create: async () => memoryTransport(options) })) test(name, run)
  })
}
describe('the memory transport, wrapped', () => {
  for (const { name, run } of transportCases({ create: wrapped })) test(name, run)
})
describe('the JSON codec', () => {
  const samples = [{ a: 1, b: ['x', null, { c: 'ü😀' }] }, [], 'text', 0, null]
  for (const { name, run } of codecCases(jsonCodec, samples)) test(name, run)
})
