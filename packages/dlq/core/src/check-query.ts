import { checkKnown, invalidOption, wholeNumber } from '@evt/core'
import type { DlqFilter, DlqPageOptions } from './dlq-store.ts'

/** Throws for a filter that would be read as another one: what nobody reads would match everything. */
export function checkFilter(filter: DlqFilter): void {
  checkKnown('filter', filter, ['event', 'consumer', 'from', 'to'])
  for (const name of ['event', 'consumer'] as const) checkText(name, filter[name])
  for (const name of ['from', 'to'] as const) {
    const date: unknown = filter[name]
    if (date !== undefined && !(date instanceof Date && !Number.isNaN(date.getTime())))
      throw invalidOption(name, 'expected a valid Date')
  }
}

/** How many entries a page may have. Throws for what is no page. */
export function pageLimit(page: DlqPageOptions): number {
  checkKnown('page', page, ['limit', 'cursor'])
  checkText('cursor', page.cursor)
  return wholeNumber('limit', page.limit, { min: 1, max: 500, default: 100 })
}

export function checkId(id: string): void {
  if (typeof id !== 'string') throw invalidOption('id', 'expected the id of a dead letter')
}

function checkText(option: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'string') throw invalidOption(option, 'expected text')
}
