import { tolerated } from './other-load.ts'
import { ratioOf, type Spread, spreadOf } from './statistics.ts'
import type { Facts, Goal, ResultReader, Workload } from './workload.ts'

export interface Measured {
  readonly contender: string
  /** The main figure of each round, in the unit of the result. */
  readonly rounds: readonly number[]
  readonly spread: Spread
  /** Against the first contender: 1 = as fast, or as small. */
  readonly ratio: Spread
  /** Medians of everything else that was measured, by name and unit: `cpu µs`, `p99 ms`. */
  readonly figures: Facts
  readonly facts: Facts
  /** Messages that were handled again, over all rounds. */
  readonly duplicates: number
  /** Rounds in which others used more of the machine than is tolerated, and the most they used. */
  readonly disturbedRounds: number
  readonly mostOtherShare: number
}
export interface GoalResult {
  readonly text: string
  readonly value: number
  readonly wanted: string
  readonly met: boolean
}
export interface Result {
  readonly id: string
  readonly title: string
  readonly unit: string
  readonly measured: readonly Measured[]
  readonly goals: readonly GoalResult[]
  readonly disturbed: boolean
  readonly takenAt: string
}
/** What the rounds of one contender give, one after the other. */
export interface Rounds {
  readonly contender: string
  readonly values: number[]
  readonly figures: Facts[]
  readonly otherShares: (number | undefined)[]
  facts: Facts
  duplicates: number
}

export function noRounds(contender: string): Rounds {
  return { contender, values: [], figures: [], otherShares: [], facts: {}, duplicates: 0 }
}

export function toResult(workload: Workload, unit: string, all: readonly Rounds[]): Result {
  const limit = all[0]!.values
  const measured = all.map(({ contender, values, figures, facts, duplicates, otherShares }): Measured => {
    const shares = otherShares.map((share) => share ?? 0)
    return {
      ...{ contender, rounds: values, spread: spreadOf(values), ratio: ratioOf(limit, values), facts, duplicates },
      figures: medians(figures),
      disturbedRounds: shares.filter((share) => share > tolerated).length,
      mostOtherShare: Math.max(0, ...shares),
    }
  })
  const { id, title, goals = [] } = workload
  const disturbed = measured.some(({ disturbedRounds }) => disturbedRounds > 0)
  const judged = goals.map((goal) => judge(goal, readerOf(measured)))
  return { id, title, unit, measured, goals: judged, disturbed, takenAt: new Date().toISOString() }
}

function medians(rounds: readonly Facts[]): Facts {
  const names = new Set(rounds.flatMap((figures) => Object.keys(figures)))
  return Object.fromEntries(
    [...names].map((name) => [name, spreadOf(rounds.flatMap((figures) => figures[name] ?? [])).median]),
  )
}

function judge({ text, value, atLeast, atMost }: Goal, read: ResultReader): GoalResult {
  const found = value(read)
  const met = atLeast === undefined ? found <= atMost! : found >= atLeast
  return { text, value: found, wanted: atLeast === undefined ? `≤ ${atMost}` : `≥ ${atLeast}`, met }
}

function readerOf(measured: readonly Measured[]): ResultReader {
  const of = (contender: string) => {
    const found = measured.find((each) => each.contender === contender)
    if (found === undefined) throw new Error(`A goal names ${contender}, which is no contender`)
    return found
  }
  const named = (values: Facts, contender: string, name: string) => {
    if (values[name] === undefined) throw new Error(`A goal names ${name} of ${contender}, which was not measured`)
    return values[name]
  }
  return {
    median: (contender) => of(contender).spread.median,
    least: (contender) => of(contender).spread.min,
    perSecond: (contender) => 1e9 / of(contender).spread.median,
    ratio: (contender, against) => of(against).spread.median / of(contender).spread.median,
    figure: (contender, name) => named(of(contender).figures, contender, name),
    fact: (contender, name) => named(of(contender).facts, contender, name),
  }
}
