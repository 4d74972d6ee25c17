import type { Crew } from './nemesis/crew.ts'
import { longestRecoveryMs, type QuietOptions, type Rig } from './rig.ts'
import type { Taken } from './taken.ts'
import { until } from './until.ts'

/** Waits until all is quiet, ends the crew gracefully, checks everything. */
export async function finish(
  rig: Rig,
  crew: Crew,
  options: QuietOptions & {
    readonly judgesItself?: boolean
    readonly taken?: Taken
  } = {},
): Promise<void> {
  const { groups = ['work'] } = options
  await rig.quiet(options)
  crew.rest()
  await rig.stop(crew.running)
  if (options.judgesItself !== true) await rig.checkAll({ groups, taken: options.taken })
}

/** Waits until handlers start again after a moment, or nothing is left to start, for as long as the limit. */
export async function recovered(rig: Rig, moment: number, limitMs: number): Promise<void> {
  const idle = async () => {
    const { waiting, effects, letters, committed } = await rig.database.progress()
    return waiting === 0 && effects + letters >= Math.max(committed, rig.ledger.count('ok'))
  }
  await until(async () => rig.ledger.newestMs('start') > moment || (await idle()), limitMs)
}

/** After each of these moments a handler must have started within the limit. */
export function expectRecovery(rig: Rig, moments: readonly number[], limitMs: number): void {
  const longestMs = longestRecoveryMs(rig.ledger, moments)
  rig.set('recovery ms', longestMs)
  rig.expect(`recovery took more than ${limitMs} ms`, longestMs <= limitMs, `${Math.round(longestMs)} ms`)
}
