import type { Crash, PublisherProgram } from '../programs/specification.ts'
import type { Rig } from '../rig.ts'

/** Publishes so many messages, with a new publisher for each that is killed. What the dead one left open stays unknown. */
export async function publishAll(
  rig: Rig,
  program: Partial<PublisherProgram> & { readonly count: number },
  crashes: () => readonly Crash[] = () => [],
): Promise<void> {
  let first = program.first ?? 0
  const end = first + program.count
  while (first < end) {
    const publisher = rig.publisher({ ...program, first, count: end - first, crashes: crashes() })
    const { code, signal, stderr } = await publisher.ended
    if (code === 0) return
    if (signal !== 'SIGKILL') {
      rig.expect('a publisher died by itself', false, String(code ?? signal), stderr)
      return
    }
    const newest = rig.ledger.of('invoke').reduce((most, entry) => Math.max(most, entry.number), first - 1)
    first = newest + 1
  }
}
