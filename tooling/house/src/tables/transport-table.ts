import type { Transport, TransportSupport } from '@evt/core'
import type { Package } from '../workspace.ts'
import { markdownTable } from './markdown-table.ts'

/** What every transport declares in `supports`, one column each. Throws for a transport package that has no sample. */
export function transportTable(
  packages: readonly Package[],
  samples: Readonly<Record<string, () => Transport>>,
): string {
  for (const { path } of packages) {
    const leaf = /^packages\/transport\/(\w+)$/.exec(path)?.[1]
    if (leaf !== undefined && samples[leaf] === undefined)
      throw new Error(`${path} has no line in tooling/house/src/tables/transports.ts`)
  }
  const columns = Object.entries(samples).map(([kind, make]) => ({ kind, supports: make().supports }))
  const fields = Object.keys(columns[0]!.supports) as (keyof TransportSupport)[]
  return markdownTable(
    ['feature', ...columns.map((column) => column.kind)],
    fields.map((field) => [`\`${field}\``, ...columns.map(({ supports }) => cell(supports[field]))]),
  )
}

function cell(value: unknown): string {
  if (value === undefined || value === false) return 'no'
  if (value === true) return 'yes'
  if (value === Number.MAX_SAFE_INTEGER) return 'unbounded'
  if (typeof value === 'number') return value.toLocaleString('en')
  if (Array.isArray(value)) return value.join(', ')
  if (typeof value === 'object' && value !== null)
    return Object.entries(value)
      .map(([name, part]) => `${name} ${cell(part)}`)
      .join(', ')
  return String(value)
}
