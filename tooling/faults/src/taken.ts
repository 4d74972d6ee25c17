import type { Ledger } from './ledger.ts'

/** When messages were taken from the broker, by the machine's clock. */
export interface Taking {
  readonly fromMs: number
  readonly untilMs: number
}

/** What was published so shortly before may have been on the broker, not yet handled. */
const reachMs = 5_000

/** Messages that may have gone with what was taken: what became of them nobody can know, so they count as unknown and not as lost. */
export function takenBy(ledger: Ledger, takings: readonly Taking[]): ReadonlySet<string> {
  const taken = new Set<string>()
  for (const { message, atMs } of ledger.of('invoke'))
    if (takings.some(({ fromMs, untilMs }) => atMs >= fromMs - reachMs && atMs <= untilMs)) taken.add(message)
  return taken
}
