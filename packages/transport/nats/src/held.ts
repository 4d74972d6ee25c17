/** One thing for as long as somebody holds it: buses that share a transport know nothing of each other. */
export interface Held {
  /** Opens it for the first who comes. Whoever gets a rejection holds nothing; the next one tries again. */
  take(): Promise<void>
  /** Closes it after the last who took it. */
  leave(): Promise<void>
}

export function held(open: () => Promise<void>, close: () => Promise<void>): Held {
  let holders = 0
  let opening: Promise<void> | undefined
  return {
    async take() {
      opening ??= open()
      const mine = opening
      holders += 1
      try {
        await mine
      } catch (error) {
        holders -= 1
        if (opening === mine) opening = undefined
        throw error
      }
    },
    async leave() {
      if (holders === 0) return
      holders -= 1
      if (holders > 0) return
      opening = undefined
      await close()
    },
  }
}
