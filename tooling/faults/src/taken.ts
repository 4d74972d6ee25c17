import type { Ledger } from './ledger.ts'

/** When messages were taken from the broker, by the machine's clock. */
export interface Taking {
  readonly fromMs: number
  readonly untilMs: number
}
/** What may have gone, by the consumer that had not handled it yet. */
export type Taken = (consumer: string) => ReadonlySet<string>

/**
 * Messages that may have gone with what was taken: published by then, and not handled yet. What became of them nobody can
 * know, so they count as unknown and not as lost.
 */
export function takenBy(ledger: Ledger, takings: readonly Taking[]): Taken {
  const invoked = ledger.of('invoke')
  return (consumer) => {
    const handledMs = new Map<string, number>()
    for (const { message, as, atMs, consumer: by } of ledger.of('end'))
      if (by === consumer && as === 'returned' && !handledMs.has(message)) handledMs.set(message, atMs)
    const isTaken = (message: string, atMs: number) =>
      takings.some(({ fromMs, untilMs }) => atMs <= untilMs && (handledMs.get(message) ?? untilMs) >= fromMs)
    return new Set(invoked.flatMap(({ message, atMs }) => (isTaken(message, atMs) ? [message] : [])))
  }
}
