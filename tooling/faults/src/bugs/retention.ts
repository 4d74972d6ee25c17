import { memoryTransport, type Transport } from '@evt/core'
import type { Bug } from './bug.ts'

export const trimsByCount: Bug = {
  about: 'keeps the newest hundred messages, handled or not',
  scenario: 'F13',
  transport: (): Transport => {
    const transport = memoryTransport({ overflow: 'dropOldest', maxMessages: 100 })
    return { ...transport, supports: { ...transport.supports, confirms: 'settled' } }
  },
}
