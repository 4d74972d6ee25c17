import { memoryTransport } from '@evt/core'
import type { Bug } from './bug.ts'

export const trimsByCount: Bug = {
  about: 'keeps the newest hundred messages, handled or not',
  scenario: 'F13',
  transport: () => memoryTransport({ confirm: 'settled', overflow: 'dropOldest', maxMessages: 100 }),
}
