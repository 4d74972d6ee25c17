/** What is compared: one job, done by several contenders. */
export interface Workload {
  readonly id: string
  readonly title: string
  /** Messages per round. */
  readonly messages: number
  /** The first is the limit that ratios are taken against. */
  readonly contenders: readonly Contender[]
}

/** One way to do the job. Everything it needs lives from `start` to `stop`, over all rounds. */
export interface Contender {
  readonly name: string
  start(): Promise<Running>
}
export interface Running {
  /** Publishes so many messages and resolves when all of them are handled. With a `seen`, every handler adds its ids. */
  run(messages: number, seen: Seen | undefined): Promise<void>
  /** Handler runs since the start. */
  handled(): number
  stop(): Promise<void>
}

/** The ids of one round: those published, and those that each of the handlers got. */
export interface Seen {
  readonly published: string[]
  readonly handled: string[][]
}
