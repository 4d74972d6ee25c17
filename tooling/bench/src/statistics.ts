export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

export function spreadOf(values: readonly number[]): Spread {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) }
}

/** The least value that so many of a hundred do not exceed. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((left, right) => left - right)
  return sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)]!
}

/** The ratio of medians; its spread is that of the rounds, each against the other's round beside it. */
export function ratioOf(limit: readonly number[], values: readonly number[]): Spread {
  const pairs = values.slice(0, limit.length).map((value, round) => limit[round]! / value)
  return { median: median(limit) / median(values), min: Math.min(...pairs), max: Math.max(...pairs) }
}
