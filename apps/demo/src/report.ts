import type { RecordableHistogram } from 'node:perf_hooks'
import { type Books, handledOf, publishedOf } from './books.ts'

/** Counted while this process ran; the rest of the report is read from the database. */
export interface RunFigures {
  readonly retried: number
  readonly duplicates: number
  readonly audited: number
  readonly finished: number
  readonly elapsedMs: number
  /** In microseconds. */
  readonly toShipped: Pick<RecordableHistogram, 'count' | 'percentile'>
}

export function formatReport(books: Books, run: RunFigures, lossy: boolean): string {
  const percentile = (percent: number) =>
    run.toShipped.count === 0 ? '-' : `${(run.toShipped.percentile(percent) / 1_000).toFixed(1)} ms`
  const rows: readonly (readonly [string, number | string])[] = [
    ['in', books.lines],
    ['accepted', books.accepted],
    ['rejected', books.rejected],
    ['repeated', books.repeated],
    ['paid', books.paid],
    ['shipped', books.shipped],
    ['cancelled', books.cancelled],
    ['dead-lettered', books.deadLettered],
    ...(lossy
      ? ([
          ['published', publishedOf(books)],
          ['handled', handledOf(books)],
          ['lost (NATS core delivers at most once)', books.open],
        ] as const)
      : ([['open', books.open]] as const)),
    ['retried *', run.retried],
    ['duplicates suppressed *', run.duplicates],
    ['audited *', run.audited],
    ['throughput *', `${Math.round((run.finished * 1_000) / run.elapsedMs)} orders/s`],
    ['commit to shipped, p50 *', percentile(50)],
    ['commit to shipped, p95 *', percentile(95)],
    ['commit to shipped, p99 *', percentile(99)],
  ]
  const width = Math.max(...rows.map(([name]) => name.length))
  const lines = rows.map(([name, value]) => `${name.padEnd(width)}  ${String(value).padStart(14)}`)
  return [...lines, '* in this run'].join('\n')
}
