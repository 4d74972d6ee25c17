/** One promise as a plain function: any test runner can run it. It rejects with an error that names the broken promise. */
export interface ConformanceCase {
  readonly name: string
  run(): Promise<void>
}

/** Rejects with the promise's own words where it does not hold. */
export function expectThat(holds: boolean, promise: string): asserts holds {
  if (!holds) throw new Error(`broken promise: ${promise}`)
}

/** Waits for a condition; rejects with the promise's words when it has not come true in time. */
export async function eventually(
  condition: () => boolean | Promise<boolean>,
  promise: string,
  deadlineMs = 10_000,
): Promise<void> {
  const endMs = performance.now() + deadlineMs
  while (!(await condition())) {
    if (performance.now() > endMs) throw new Error(`broken promise: ${promise} (not within ${deadlineMs} ms)`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

/** How long "nothing more arrives" is watched. */
export const quietMs = 150

export function quiet(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, quietMs))
}

/** What work threw, or undefined. */
export function failureOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  )
}

/** A promise and the function that resolves it. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  let open!: () => void
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open }
}
