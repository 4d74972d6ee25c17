/** Calls at a fixed rate, whatever became of the calls before: one that starts late is counted from when it was due. */
export async function openLoop(options: {
  readonly perSecond: number
  readonly seconds: number
  /** Told when it was due, by `performance.now`. Must not throw. */
  call(dueMs: number): void
}): Promise<number> {
  const { perSecond, seconds, call } = options
  const total = Math.round(perSecond * seconds)
  const everyMs = 1_000 / perSecond
  const fromMs = performance.now()
  for (let sent = 0; sent < total; ) {
    const nowMs = performance.now()
    while (sent < total && fromMs + sent * everyMs <= nowMs) {
      call(fromMs + sent * everyMs)
      sent += 1
    }
    const waitMs = fromMs + sent * everyMs - performance.now()
    // A timer is up to a millisecond late; the last stretch goes by turns of the event loop.
    await new Promise<void>((resolve) => (waitMs > 2 ? setTimeout(resolve, waitMs - 1.5) : setImmediate(resolve)))
  }
  return total
}
