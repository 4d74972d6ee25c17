/** Keeps the process alive while work lasts: the timers of a bus do not, and a transport in memory has no connection that does. */
export async function holding<Result>(work: () => Promise<Result>): Promise<Result> {
  const hold = setInterval(() => undefined, 2 ** 31 - 1)
  try {
    return await work()
  } finally {
    clearInterval(hold)
  }
}
