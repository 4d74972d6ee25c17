import { Ledger } from './ledger.ts'
import { measure } from './meter.ts'
import { noRounds, type Result, type Rounds, toResult } from './result.ts'
import type { Contender, Facts, Running, ThroughputWorkload } from './workload.ts'

export interface RunOptions {
  /** Measured rounds, after one warm-up. */
  readonly rounds: number
  readonly serverPids: readonly number[]
  onProgress(text: string): void
}
interface Started {
  readonly contender: Contender
  readonly running: Running
  readonly rounds: Rounds
}

const verified = 1_000

/** Runs all contenders in turn, round after round, so that what disturbs the machine disturbs all of them. */
export async function runThroughput(workload: ThroughputWorkload, options: RunOptions): Promise<Result> {
  const started: Started[] = []
  try {
    for (const contender of workload.contenders) {
      started.push({ contender, running: await contender.start(), rounds: noRounds(contender.name) })
    }
    for (const each of started) {
      if (workload.checked === 'once') await round(workload, each, verified, new Ledger(), options)
      each.rounds.facts = (await each.running.facts?.()) ?? {}
    }
    for (let number = 0; number <= options.rounds; number += 1) {
      for (const each of started) {
        options.onProgress(`${workload.id} round ${number} of ${options.rounds}: ${each.contender.name}`)
        const messages = each.contender.messages ?? workload.messages
        const ledger = workload.checked === 'everyRound' ? new Ledger() : undefined
        const taken = await round(workload, each, messages, ledger, options)
        // The first round is the warm-up.
        if (number === 0) continue
        each.rounds.duplicates += taken.duplicates
        each.rounds.values.push((taken.elapsedMs * 1e6) / messages)
        each.rounds.otherShares.push(taken.otherShare)
        each.rounds.figures.push(figuresOf(taken, messages))
      }
    }
  } finally {
    for (const { running } of started) await running.stop()
  }
  return toResult(
    workload,
    'ns per message',
    started.map(({ rounds }) => rounds),
  )
}

type Taken = Awaited<ReturnType<typeof measure>> & { readonly duplicates: number }

async function round(
  workload: ThroughputWorkload,
  { contender, running }: Started,
  messages: number,
  ledger: Ledger | undefined,
  { serverPids }: RunOptions,
): Promise<Taken> {
  await running.prepare?.(messages, ledger)
  let before = 0
  const warmUp = async () => {
    if (workload.warmUp !== undefined) await running.run(workload.warmUp, undefined)
    before = running.handled?.() ?? 0
  }
  const reading = await measure(() => running.run(messages, ledger), serverPids, warmUp)
  const handled = (running.handled?.() ?? 0) - before
  await running.collect?.(ledger)
  if (ledger !== undefined) return { ...reading, ...ledger.check(`${workload.id} ${contender.name}`, messages) }
  if (handled === 0 || handled % messages !== 0)
    throw new Error(`${workload.id} ${contender.name}: ${handled} handler runs for ${messages} messages`)
  return { ...reading, duplicates: 0 }
}

function figuresOf({ cpuMs, serverCpuMs, peakRssMb, eventLoopP99Ms, gcMs }: Taken, messages: number): Facts {
  return {
    'cpu µs': (cpuMs * 1_000) / messages,
    ...(serverCpuMs === undefined || serverCpuMs === 0 ? {} : { 'server cpu µs': (serverCpuMs * 1_000) / messages }),
    'peak RSS MB': peakRssMb,
    'event loop p99 ms': eventLoopP99Ms,
    'gc ms': gcMs,
  }
}
