import { type MachineTime, machineTime } from './processor-time.ts'

/** Work of others above this share of the machine makes a round a disturbed one. */
export const tolerated = 0.05

/** The share of the machine that others used: all processors' work less ours and the servers', and what was stolen. */
export function otherShare(work: {
  readonly before: MachineTime
  readonly after: MachineTime
  readonly elapsedMs: number
  readonly processors: number
  readonly ownMs: number
  readonly serversMs: number
}): number {
  const { before, after, elapsedMs, processors, ownMs, serversMs } = work
  const others = after.busyMs - before.busyMs - ownMs - serversMs + (after.stolenMs - before.stolenMs)
  return Math.max(0, others) / (elapsedMs * processors)
}

/** What a machine is busy with that is none of ours, watched for a while before anything runs. */
export async function idleShare(forMs: number, processors: number): Promise<number | undefined> {
  const before = machineTime()
  const fromMs = performance.now()
  const spent = process.cpuUsage()
  await new Promise((resolve) => setTimeout(resolve, forMs))
  const after = machineTime()
  if (before === undefined || after === undefined) return undefined
  const { user, system } = process.cpuUsage(spent)
  const elapsedMs = performance.now() - fromMs
  return otherShare({ before, after, elapsedMs, processors, ownMs: (user + system) / 1_000, serversMs: 0 })
}
