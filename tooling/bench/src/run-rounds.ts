import { noRounds, type Result, type Rounds, toResult } from './result.ts'
import type { StartedContender } from './started-contender.ts'
import type { TimedWorkload } from './workload.ts'

export interface RunOptions {
  /** Measured rounds, after one warm-up. */
  readonly rounds: number
  onProgress(text: string): void
}
interface Taking {
  readonly contender: StartedContender
  readonly rounds: Rounds
}

/** Runs all contenders in turn, round after round, so that what disturbs the machine disturbs all of them. */
export async function runRounds(
  workload: TimedWorkload,
  start: (index: number) => Promise<StartedContender>,
  options: RunOptions,
): Promise<Result> {
  const all: Taking[] = []
  try {
    for (const [index, { name }] of workload.contenders.entries()) {
      options.onProgress(`${workload.id} start: ${name}`)
      all.push({ contender: await start(index), rounds: noRounds(name) })
    }
    for (let number = 0; number <= options.rounds; number += 1) {
      for (const { contender, rounds } of all) {
        options.onProgress(`${workload.id} round ${number} of ${options.rounds}: ${rounds.contender}`)
        const taken = await contender.round(number === 0 ? 'warm-up' : 'measured')
        if (number === 0) continue
        rounds.duplicates += taken.duplicates
        rounds.values.push(taken.value)
        rounds.otherShares.push(taken.otherShare)
        rounds.figures.push(taken.figures)
      }
    }
    for (const { contender, rounds } of all) rounds.facts = await contender.facts()
  } finally {
    for (const { contender } of all) await contender.stop()
  }
  const unit = workload.kind === 'throughput' ? 'ns per message' : 'ms, median'
  const taken = all.map(({ rounds }) => rounds)
  return toResult(workload, unit, taken)
}
