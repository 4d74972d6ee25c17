import { pause, realNowMs, turn } from './event-loop.ts'
import type { VirtualClock } from './virtual-clock.ts'

/** Real milliseconds that running handlers get before the clock moves towards their deadline. */
const graceMs = 100

/** Waits for a close whose deadlines stand on a clock that nobody else moves any more. */
export async function driveClose(clock: VirtualClock, closing: Promise<void>, isBusy: () => boolean): Promise<void> {
  let done = false
  const finished = closing.finally(() => {
    done = true
  })
  finished.catch(() => undefined)
  const graceEndsMs = realNowMs() + graceMs
  await turn()
  while (!done) {
    if (isBusy() && realNowMs() < graceEndsMs) await pause(1)
    else if (!(await clock.advanceToNext())) await pause(1)
    await turn()
  }
  await finished
}
