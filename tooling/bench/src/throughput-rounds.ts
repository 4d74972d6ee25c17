import { costFigures } from './cost-figures.ts'
import { Ledger } from './ledger.ts'
import { measure } from './meter.ts'
import type { StartedContender } from './started-contender.ts'
import type { Contender, ThroughputWorkload } from './workload.ts'

const verified = 1_000

/** Closed loop: each round is the whole job, after one that is only checked where the measured ones are not. */
export async function startThroughput(
  workload: ThroughputWorkload,
  contender: Contender,
  serverPids: readonly number[],
): Promise<StartedContender> {
  const who = `${workload.id} ${contender.name}`
  const running = await contender.start()
  const round = async (messages: number, ledger: Ledger | undefined) => {
    await running.prepare?.(messages, ledger)
    let before = 0
    const warmUp = async () => {
      if (workload.warmUp !== undefined) await running.run(workload.warmUp, undefined)
      before = running.handled?.() ?? 0
    }
    const reading = await measure(() => running.run(messages, ledger), serverPids, warmUp)
    const handled = (running.handled?.() ?? 0) - before
    await running.collect?.(ledger)
    if (ledger !== undefined) return { reading, ...ledger.check(who, messages) }
    if (handled === 0 || handled % messages !== 0)
      throw new Error(`${who}: ${handled} handler runs for ${messages} messages`)
    return { reading, duplicates: 0 }
  }
  try {
    if (workload.checked === 'once') await round(verified, new Ledger())
  } catch (error) {
    await running.stop()
    throw error
  }
  return {
    async round() {
      const messages = contender.messages ?? workload.messages
      const ledger = workload.checked === 'everyRound' ? new Ledger() : undefined
      const { reading, duplicates } = await round(messages, ledger)
      const { elapsedMs, otherShare } = reading
      return { value: (elapsedMs * 1e6) / messages, figures: costFigures(reading, messages), otherShare, duplicates }
    },
    facts: async () => (await running.facts?.()) ?? {},
    stop: () => running.stop(),
  }
}
