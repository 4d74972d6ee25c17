interface Waiting<Item, Answer> {
  readonly item: Item
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: unknown) => void
}

const maxBatch = 500

/** Turns a call for many into one for each: one call under way at a time, everybody who comes meanwhile goes with the next. */
export function batched<Item, Answer>(
  run: (items: readonly Item[]) => Promise<readonly Answer[]>,
): (item: Item) => Promise<Answer> {
  let queue: Waiting<Item, Answer>[] = []
  let isRunning = false
  const flush = async () => {
    // Everybody who comes in this turn joins the first call.
    await Promise.resolve()
    while (queue.length > 0) {
      const chosen = queue.slice(0, maxBatch)
      queue = queue.slice(maxBatch)
      try {
        const answers = await run(chosen.map((waiting) => waiting.item))
        for (const [index, waiting] of chosen.entries()) waiting.resolve(answers[index]!)
      } catch (error) {
        for (const waiting of chosen) waiting.reject(error)
      }
    }
    isRunning = false
  }
  return (item) =>
    new Promise((resolve, reject) => {
      queue.push({ item, resolve, reject })
      if (isRunning) return
      isRunning = true
      void flush()
    })
}
