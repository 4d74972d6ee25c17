/** A way in which a broker loses what it keeps of a topic. */
export interface Loss {
  readonly what: string
  /** Whether messages go with it that nobody else has. */
  readonly takesMessages: boolean
  /** Whether the broker allows it only while nobody reads. */
  readonly needsNobody?: true
  strike(): Promise<void>
}
/** A way in which a broker refuses to write, until it is ended. */
export interface Refusal {
  readonly what: string
  begin(): Promise<void>
  end(): Promise<void>
}
/** What somebody with a console may do to what the broker of a stage keeps of one topic. */
export interface Operator {
  readonly losses: readonly Loss[]
  readonly refusals: readonly Refusal[]
  /** Whether a reader that comes later learns what was cut while nobody of its group was there. */
  readonly tellsTheAbsent: boolean
  /** Messages of the topic that the broker keeps, handled or not. */
  kept(): Promise<number>
  /** Removes the older half of them, handled or not. Answers how many went. */
  cut(): Promise<number>
  close(): Promise<void>
}
