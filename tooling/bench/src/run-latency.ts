import { Ledger } from './ledger.ts'
import { measure } from './meter.ts'
import { openLoop } from './open-loop.ts'
import { noRounds, type Result, toResult } from './result.ts'
import type { RunOptions } from './run-throughput.ts'
import { percentile } from './statistics.ts'
import type { LatencyContender, LatencyWorkload, RunningLatency } from './workload.ts'

/** So long after the last one was due a message counts as lost. */
const patienceMs = 120_000
const warmUpSeconds = 1

interface Sending {
  readonly due: Map<string, number>
  readonly latencies: number[]
  readonly ledger: Ledger
  handledAll(): void
}

/** Open loop: contenders in turn, each for some seconds at the same rate. The main figure is the median latency of a round. */
export async function runLatency(workload: LatencyWorkload, options: RunOptions): Promise<Result> {
  const all = workload.contenders.map(({ name }) => noRounds(name))
  const running: RunningLatency[] = []
  const sending = new Map<LatencyContender, Sending>()
  let count = 0
  const send = async (contender: LatencyContender, index: number, seconds: number): Promise<Sending> => {
    const due = new Map<string, number>()
    let failure: unknown
    let handledAll = () => undefined as void
    const now: Sending = { due, latencies: [], ledger: new Ledger(), handledAll: () => handledAll() }
    sending.set(contender, now)
    const total = await openLoop({
      perSecond: workload.perSecond,
      seconds,
      call(dueMs) {
        count += 1
        const id = `b-${count}`
        due.set(id, dueMs)
        now.ledger.sent(id)
        running[index]!.send(id).catch((error) => {
          failure ??= error
          handledAll()
        })
      },
    })
    if (now.latencies.length < total && failure === undefined) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, patienceMs)
        handledAll = () => {
          if (failure === undefined && now.latencies.length < total) return
          clearTimeout(timer)
          resolve()
        }
      })
    }
    if (failure !== undefined) throw failure
    return now
  }
  try {
    for (const contender of workload.contenders) {
      const arrived = (id: string) => {
        const now = sending.get(contender)
        const dueMs = now?.due.get(id)
        if (now === undefined || dueMs === undefined) return
        now.ledger.handled(id)
        now.latencies.push(performance.now() - dueMs)
        now.handledAll()
      }
      running.push(await contender.start(arrived))
    }
    for (let round = 0; round <= options.rounds; round += 1) {
      for (const [index, contender] of workload.contenders.entries()) {
        options.onProgress(`${workload.id} round ${round} of ${options.rounds}: ${contender.name}`)
        let now!: Sending
        const seconds = round === 0 ? warmUpSeconds : workload.seconds
        const reading = await measure(async () => {
          now = await send(contender, index, seconds)
        }, options.serverPids)
        const messages = Math.round(workload.perSecond * seconds)
        const { duplicates } = now.ledger.check(`${workload.id} ${contender.name}`, messages)
        if (round === 0) continue
        const { latencies } = now
        const rounds = all[index]!
        rounds.duplicates += duplicates
        rounds.values.push(percentile(latencies, 50))
        rounds.otherShares.push(reading.otherShare)
        rounds.figures.push({
          'p50 ms': percentile(latencies, 50),
          'p95 ms': percentile(latencies, 95),
          'p99 ms': percentile(latencies, 99),
          'most ms': percentile(latencies, 100),
          'cpu µs': (reading.cpuMs * 1_000) / messages,
          ...(reading.serverCpuMs === undefined ? {} : { 'server cpu µs': (reading.serverCpuMs * 1_000) / messages }),
          'peak RSS MB': reading.peakRssMb,
          'event loop p99 ms': reading.eventLoopP99Ms,
        })
      }
    }
    for (const [index, each] of running.entries()) {
      all[index]!.facts = (await each.facts?.()) ?? {}
    }
  } finally {
    for (const each of running) await each.stop()
  }
  return toResult(workload, 'ms, median', all)
}
