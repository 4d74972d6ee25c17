import { codecCases, transportCases } from '../src/conformance/index.ts'
import { jsonCodec, memoryTransport } from '../src/index.ts'

describe('the memory transport', () => {
  for (const { name, run } of transportCases({ create: async () => memoryTransport() })) test(name, run)
})
describe('the JSON codec', () => {
  const samples = [{ a: 1, b: ['x', null, { c: 'ü😀' }] }, [], 'text', 0, null]
  for (const { name, run } of codecCases(jsonCodec, samples)) test(name, run)
})
