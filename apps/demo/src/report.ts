import type { Books } from './books.ts'

/** Counted while this process ran; the rest of the report is read from the database. */
export interface RunFigures {
  readonly retried: number
  readonly duplicates: number
  readonly audited: number
  readonly finished: number
  readonly elapsedMs: number
}

export function formatReport(books: Books, run: RunFigures): string {
  const { latencyMs } = books
  const rows: readonly (readonly [string, string])[] = [
    ['in', String(books.lines)],
    ['accepted', String(books.accepted)],
    ['rejected', String(books.rejected)],
    ['repeated', String(books.repeated)],
    ['paid', String(books.paid)],
    ['shipped', String(books.shipped)],
    ['cancelled', String(books.cancelled)],
    ['dead-lettered', String(books.deadLettered)],
    ['retried (this run)', String(run.retried)],
    ['duplicates suppressed (this run)', String(run.duplicates)],
    ['audited (this run)', String(run.audited)],
    ['throughput (this run)', `${Math.round((run.finished * 1_000) / run.elapsedMs)} orders/s`],
    ['p50 to shipped', `${latencyMs.p50.toFixed(1)} ms`],
    ['p95 to shipped', `${latencyMs.p95.toFixed(1)} ms`],
    ['p99 to shipped', `${latencyMs.p99.toFixed(1)} ms`],
  ]
  const width = Math.max(...rows.map(([name]) => name.length))
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value.padStart(14)}`).join('\n')
}
