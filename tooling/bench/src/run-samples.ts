import { availableParallelism } from 'node:os'
import { measure } from './meter.ts'
import { noRounds, type Result, toResult } from './result.ts'
import type { RunOptions } from './run-rounds.ts'
import type { SampleWorkload } from './workload.ts'

const childShare = 1 / availableParallelism()

/** Takes one figure of each contender in turn, after one that does not count. */
export async function runSamples(workload: SampleWorkload, options: RunOptions): Promise<Result> {
  const all = workload.contenders.map(({ name }) => noRounds(name))
  await workload.prepare?.()
  for (let round = 0; round <= options.rounds; round += 1) {
    for (const [index, contender] of workload.contenders.entries()) {
      options.onProgress(`${workload.id} round ${round} of ${options.rounds}: ${contender.name}`)
      let value = 0
      const { otherShare } = await measure(async () => {
        value = await contender.sample()
      }, [])
      if (round === 0) continue
      all[index]!.values.push(value)
      // Processes it starts are not told from those of others, at most one at a time.
      const share = workload.isExact === true || otherShare === undefined ? undefined : otherShare - childShare
      all[index]!.otherShares.push(share)
    }
  }
  return toResult(workload, workload.unit, all)
}
