import type { Clock, Logger } from '@evt/core'

const linesPerSecond = 2

/** Warns at most twice a second, so that something that is missing for long does not fill a disk. */
export function limitedLog(logger: Logger, clock: Clock): (fields: object, message: string) => void {
  let sinceMs = Number.NEGATIVE_INFINITY
  let lines = 0
  return (fields, message) => {
    const nowMs = clock.monotonicMs()
    if (nowMs - sinceMs >= 1_000) {
      sinceMs = nowMs
      lines = 0
    }
    lines += 1
    if (lines <= linesPerSecond) logger.warn(fields, message)
  }
}
