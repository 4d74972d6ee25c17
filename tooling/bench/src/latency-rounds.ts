import { costFigures } from './cost-figures.ts'
import { Ledger } from './ledger.ts'
import { measure } from './meter.ts'
import { openLoop } from './open-loop.ts'
import type { StartedContender } from './started-contender.ts'
import { percentile } from './statistics.ts'
import type { LatencyContender, LatencyWorkload } from './workload.ts'

/** So long after the last one was due a message counts as lost. */
const patienceMs = 120_000
const warmUpSeconds = 1

interface Sending {
  readonly due: Map<string, number>
  readonly latencies: number[]
  readonly ledger: Ledger
  /** Looks whether that was the last, or something failed. */
  changed(): void
}

/** Open loop: each round is some seconds at the workload's rate. The main figure is the median latency of a round. */
export async function startLatency(
  workload: LatencyWorkload,
  contender: LatencyContender,
  serverPids: readonly number[],
): Promise<StartedContender> {
  let now: Sending | undefined
  let count = 0
  const running = await contender.start((id) => {
    const dueMs = now?.due.get(id)
    if (now === undefined || dueMs === undefined) return
    now.ledger.handled(id)
    now.latencies.push(performance.now() - dueMs)
    now.changed()
  })
  const send = async (seconds: number): Promise<Sending> => {
    let failure: unknown
    const sending: Sending = { due: new Map(), latencies: [], ledger: new Ledger(), changed: () => undefined }
    now = sending
    const total = await openLoop({
      ...{ perSecond: workload.perSecond, seconds },
      call(dueMs) {
        count += 1
        const id = `b-${count}`
        sending.due.set(id, dueMs)
        sending.ledger.sent(id)
        running.send(id).catch((error) => {
          failure ??= error
          sending.changed()
        })
      },
    })
    const isOver = () => failure !== undefined || sending.latencies.length >= total
    if (!isOver())
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, patienceMs)
        sending.changed = () => {
          if (!isOver()) return
          clearTimeout(timer)
          resolve()
        }
      })
    if (failure !== undefined) throw failure
    return sending
  }
  return {
    async round(kind) {
      const seconds = kind === 'warm-up' ? warmUpSeconds : workload.seconds
      let sent!: Sending
      const reading = await measure(async () => {
        sent = await send(seconds)
      }, serverPids)
      const messages = Math.round(workload.perSecond * seconds)
      const { duplicates } = sent.ledger.check(`${workload.id} ${contender.name}`, messages)
      const at = (percent: number) => percentile(sent.latencies, percent)
      const figures = {
        ...{ 'p50 ms': at(50), 'p95 ms': at(95), 'p99 ms': at(99), 'most ms': at(100) },
        ...costFigures(reading, messages),
      }
      return { value: at(50), figures, otherShare: reading.otherShare, duplicates }
    },
    facts: async () => (await running.facts?.()) ?? {},
    stop: () => running.stop(),
  }
}
