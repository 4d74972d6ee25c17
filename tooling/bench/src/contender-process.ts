import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { sourceRun } from '@evt/servers'
import type { RoundKind, RoundTaken, StartedContender } from './started-contender.ts'
import type { Facts } from './workload.ts'
import type { Listed } from './workloads.ts'

/** What a process of a contender is asked, one at a time. */
export type Question =
  | { readonly ask: 'round'; readonly kind: RoundKind }
  | { readonly ask: 'facts' }
  | { readonly ask: 'stop' }
export type Answer = { readonly value: unknown } | { readonly failure: string }

const program = fileURLToPath(new URL('./contender-main.ts', import.meta.url))

/**
 * Starts a contender in a process of its own, where no other has warmed the engine's caches, filled the heap or runs timers:
 * as it would be with a user who chose it.
 */
export async function startContenderProcess(
  { file, workload }: Listed,
  index: number,
  serverPids: readonly number[],
): Promise<StartedContender> {
  const child = fork(program, [file, workload.id, String(index), ...serverPids.map(String)], sourceRun)
  const ended = once(child, 'exit')
  const answer = async (): Promise<unknown> => {
    const left = new AbortController()
    const listening = { signal: left.signal }
    try {
      const [said] = (await Promise.race([
        once(child, 'message', listening),
        ended.then(([code, signal]) => [{ failure: `its process ended with ${code ?? signal}` }]),
      ])) as [Answer]
      if ('failure' in said) throw new Error(said.failure)
      return said.value
    } finally {
      left.abort()
    }
  }
  const ask = (question: Question): Promise<unknown> => {
    const answered = answer()
    // Where it has ended already, the answer says so.
    child.send(question, () => undefined)
    return answered
  }
  const end = async () => {
    if (child.connected) child.disconnect()
    await ended
  }
  try {
    await answer()
  } catch (error) {
    await end()
    throw error
  }
  return {
    round: async (kind) => (await ask({ ask: 'round', kind })) as RoundTaken,
    facts: async () => (await ask({ ask: 'facts' })) as Facts,
    async stop() {
      try {
        if (child.connected) await ask({ ask: 'stop' })
      } finally {
        await end()
      }
    },
  }
}
