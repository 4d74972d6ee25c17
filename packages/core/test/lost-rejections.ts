import { settle } from './virtual-clock.ts'

/** Watches a file's tests: none of them may leave a rejection that nobody takes. */
export function noRejectionIsLost(): void {
  const rejections: unknown[] = []
  const remember = (reason: unknown) => void rejections.push(reason)
  beforeAll(() => void process.on('unhandledRejection', remember))
  afterAll(async () => {
    await settle()
    process.off('unhandledRejection', remember)
    expect(rejections).toEqual([])
  })
}
