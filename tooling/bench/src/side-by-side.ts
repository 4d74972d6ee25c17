/** Does so many pieces of work, a number of them at a time. */
export async function sideBySide(total: number, atOnce: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0
  await Promise.all(
    Array.from({ length: Math.min(atOnce, total) }, async () => {
      while (next < total) {
        const index = next
        next += 1
        await work(index)
      }
    }),
  )
}
