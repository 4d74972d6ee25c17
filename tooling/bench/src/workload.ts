import type { Ledger } from './ledger.ts'
import type { Server } from './servers.ts'

/** What is compared: one job, done by several contenders. The first is the limit that ratios are taken against. */
export type Workload = TimedWorkload | SampleWorkload
/** Those whose contenders each have a process of their own, and take turns in rounds. */
export type TimedWorkload = ThroughputWorkload | LatencyWorkload

interface AnyWorkload {
  /** `w9.1x16`: the workload, then its variant. */
  readonly id: string
  readonly title: string
  /** Started before its contenders, once per run. */
  readonly servers?: readonly Server[]
  readonly goals?: readonly Goal[]
  /** Rounds at most, for jobs that take long. */
  readonly mostRounds?: number
}

/** Closed loop: everything at once, as fast as it goes. Figures are nanoseconds per message. */
export interface ThroughputWorkload extends AnyWorkload {
  readonly kind: 'throughput'
  /** Messages per round. */
  readonly messages: number
  /**
   * Messages before the clock of each round starts, for jobs so short that it matters: with a full collection the engine
   * throws away code and makes the space for young objects small.
   */
  readonly warmUp?: number
  /**
   * `everyRound`: ids and payloads of each round are compared. `once`: of a round before the measurement, where writing them
   * down would be a good part of the work; then each round is checked by its count.
   */
  readonly checked: 'everyRound' | 'once'
  readonly contenders: readonly Contender[]
}
/** One way to do the job. Everything it needs lives from `start` to `stop`, over all rounds. */
export interface Contender {
  readonly name: string
  /** Instead of the workload's number, where the job would take too long. */
  readonly messages?: number
  start(): Promise<Running>
}
export interface Running {
  /** Makes what the round needs, before the clock starts. */
  prepare?(messages: number, ledger: Ledger | undefined): Promise<void>
  /** Does the job for so many messages and resolves when it is done. */
  run(messages: number, ledger: Ledger | undefined): Promise<void>
  /** Tells the ledger what can be seen of the round afterwards, and clears it away. */
  collect?(ledger: Ledger | undefined): Promise<void>
  /** Handler runs since the start, where not every round has a ledger. */
  handled?(): number
  /** Figures that need no clock, such as statements per transaction. Asked once, after the rounds. */
  facts?(): Promise<Facts>
  stop(): Promise<void>
}
export type Facts = Readonly<Record<string, number>>

/** Open loop: a message is due every so often, whatever became of the one before. Figures are milliseconds since it was due. */
export interface LatencyWorkload extends AnyWorkload {
  readonly kind: 'latency'
  readonly perSecond: number
  /** Of one round. */
  readonly seconds: number
  readonly contenders: readonly LatencyContender[]
}
export interface LatencyContender {
  readonly name: string
  /** `arrived` is told of each message as it is handled. */
  start(arrived: (id: string) => void): Promise<RunningLatency>
}
export interface RunningLatency {
  /** Sends one message; the ledger of ids is the runner's. */
  send(id: string): Promise<void>
  facts?(): Promise<Facts>
  stop(): Promise<void>
}

/** Figures that are taken one by one, such as the time to import a package. */
export interface SampleWorkload extends AnyWorkload {
  readonly kind: 'samples'
  readonly unit: string
  /** Sizes and counts, which no load can change. */
  readonly isExact?: boolean
  prepare?(): Promise<void>
  readonly contenders: readonly SampledContender[]
}
export interface SampledContender {
  readonly name: string
  sample(): Promise<number>
}

/** What is wanted of a result. Exactly one of `atLeast` and `atMost` is given. */
export interface Goal {
  readonly text: string
  readonly value: (read: ResultReader) => number
  readonly atLeast?: number
  readonly atMost?: number
}
/** Looks up figures by the name of their contender. */
export interface ResultReader {
  /** The median of the main figure: ns per message, or the unit of a sample. */
  median(contender: string): number
  /** The least of the rounds, where everything that disturbs only adds. */
  least(contender: string): number
  perSecond(contender: string): number
  /** Speed of one against another, 1 = as fast. */
  ratio(contender: string, against: string): number
  figure(contender: string, name: string): number
  fact(contender: string, name: string): number
}
