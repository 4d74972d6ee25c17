/** Keeps the process alive until it is let go: the timers of a bus do not, and a transport in memory has no connection that does. */
export function hold(): () => void {
  const timer = setInterval(() => undefined, 2 ** 31 - 1)
  return () => clearInterval(timer)
}

/** Keeps the process alive while work lasts. */
export async function holding<Result>(work: () => Promise<Result>): Promise<Result> {
  const letGo = hold()
  try {
    return await work()
  } finally {
    letGo()
  }
}
