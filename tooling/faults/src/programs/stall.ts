/** What handlers wait at while they are stalled. */
export interface Stall {
  readonly over: Promise<void> | undefined
  /** Begins it, or ends it. */
  toggle(): void
}

export function createStall(): Stall {
  let over: Promise<void> | undefined
  let end: () => void = () => undefined
  return {
    get over() {
      return over
    },
    toggle() {
      end()
      if (over !== undefined) over = undefined
      else
        over = new Promise((resolve) => {
          end = resolve
        })
    },
  }
}
