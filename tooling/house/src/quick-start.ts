/** The program of the first TypeScript block of a README. */
export function quickStartOf(readme: string): string {
  const program = /^```ts\n([\s\S]*?)^```$/m.exec(readme)?.[1]
  if (program === undefined) throw new Error('The README has no TypeScript block')
  return program
}
