import type { Rig } from './rig.ts'

/** How much of it a tier runs; what each number means is the scenario's own. */
export type Size = Readonly<Record<string, number>>
/** What a scenario needs of a stage beyond messages. */
export type Need = 'broker' | 'anotherBroker'

export interface Scenario {
  readonly id: string
  readonly title: string
  /** Seconds one tier may take before it is called stuck. */
  readonly limitSeconds: { readonly quick: number; readonly long: number }
  readonly quick: Size
  readonly long: Size
  /** Named crash points that it kills processes at. */
  readonly crashPoints?: readonly string[]
  /** Left out, by name, on stages without it. */
  readonly needs?: Need
  run(rig: Rig, size: Size): Promise<void>
}
