import type { Facts } from './workload.ts'

/** A contender that is ready and checked, asked for round after round: in this process or in one of its own. */
export interface StartedContender {
  round(kind: RoundKind): Promise<RoundTaken>
  /** Figures that need no clock. */
  facts(): Promise<Facts>
  stop(): Promise<void>
}
export type RoundKind = 'warm-up' | 'measured'

/** What one round gave. */
export interface RoundTaken {
  /** The main figure, in the unit of the workload's kind. */
  readonly value: number
  readonly figures: Facts
  /** The share of the machine that others used; undefined where that is not known. */
  readonly otherShare: number | undefined
  /** Messages that were handled again. */
  readonly duplicates: number
}
