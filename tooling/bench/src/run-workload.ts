import type { Contender, Running, Seen, Workload } from './workload.ts'

export interface RunOptions {
  /** Measured rounds, after one warm-up. Default 7. */
  readonly rounds?: number | undefined
}
export interface Measured {
  readonly contender: string
  /** Nanoseconds per message, one per round. */
  readonly rounds: readonly number[]
  readonly medianNs: number
  readonly minNs: number
  readonly maxNs: number
  readonly perSecond: number
  /** Processor time of the whole process per message: what a busy machine does not distort. */
  readonly cpuNs: number
  /** Speed against the first contender, 1 = as fast. */
  readonly ratio: number
  readonly cpuRatio: number
}
export interface Result {
  readonly id: string
  readonly title: string
  readonly messages: number
  readonly node: string
  readonly measured: readonly Measured[]
}

const verified = 1_000

/** Runs all contenders in turn, round after round, so that what disturbs the machine disturbs all of them. */
export async function runWorkload(workload: Workload, { rounds = 7 }: RunOptions = {}): Promise<Result> {
  const started: {
    readonly contender: Contender
    readonly running: Running
    readonly times: number[]
    readonly cpu: number[]
  }[] = []
  for (const contender of workload.contenders) {
    started.push({ contender, running: await contender.start(), times: [], cpu: [] })
  }
  for (const { contender, running } of started) await verify(contender.name, running)
  for (let round = 0; round <= rounds; round += 1) {
    for (const { contender, running, times, cpu } of started) {
      const before = running.handled()
      const spent = process.cpuUsage()
      const fromNs = process.hrtime.bigint()
      await running.run(workload.messages, undefined)
      const tookNs = Number(process.hrtime.bigint() - fromNs)
      const { user, system } = process.cpuUsage(spent)
      const handled = running.handled() - before
      if (handled === 0 || handled % workload.messages !== 0)
        throw new Error(`${contender.name}: ${handled} handler runs for ${workload.messages} messages`)
      // The first round is the warm-up.
      if (round === 0) continue
      times.push(tookNs / workload.messages)
      cpu.push(((user + system) * 1_000) / workload.messages)
    }
  }
  for (const { running } of started) await running.stop()
  const limitNs = median(started[0]!.times)
  const limitCpuNs = median(started[0]!.cpu)
  const measured = started.map(({ contender, times, cpu }) => {
    const medianNs = median(times)
    return {
      contender: contender.name,
      rounds: times,
      medianNs,
      minNs: Math.min(...times),
      maxNs: Math.max(...times),
      perSecond: 1e9 / medianNs,
      cpuNs: median(cpu),
      ratio: limitNs / medianNs,
      cpuRatio: limitCpuNs / median(cpu),
    }
  })
  const { id, title, messages } = workload
  return { id, title, messages, node: process.version, measured }
}

/** A round outside the measurement in which every handler must get exactly the ids that were published. */
async function verify(name: string, running: Running): Promise<void> {
  const seen: Seen = { published: [], handled: [] }
  await running.run(verified, seen)
  const published = [...seen.published].sort().join()
  const whole = new Set(seen.published).size === verified
  const same = seen.handled.length > 0 && seen.handled.every((ids) => [...ids].sort().join() === published)
  if (!whole || !same) throw new Error(`${name}: what was handled is not what was published`)
}

function median(times: readonly number[]): number {
  const sorted = [...times].sort((left, right) => left - right)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
