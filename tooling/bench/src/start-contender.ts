import { startLatency } from './latency-rounds.ts'
import type { StartedContender } from './started-contender.ts'
import { startThroughput } from './throughput-rounds.ts'
import type { TimedWorkload } from './workload.ts'

/** Starts a contender in this process. */
export function startContender(
  workload: TimedWorkload,
  index: number,
  serverPids: readonly number[],
): Promise<StartedContender> {
  return workload.kind === 'throughput'
    ? startThroughput(workload, workload.contenders[index]!, serverPids)
    : startLatency(workload, workload.contenders[index]!, serverPids)
}
