import { setTimeout as delay } from 'node:timers/promises'
import { publishAll } from './nemesis/publish-all.ts'
import type { Rig } from './rig.ts'

const firstProbe = 10_000_000
const probes = 16
let probed = 0

/** Publishes some messages and waits until a handler has one that was published after that moment, at most so long. */
export async function expectNewHandled(rig: Rig, sinceMs: number, limitMs: number, what: string): Promise<void> {
  const { ledger } = rig
  const first = () => {
    const later = new Set(ledger.of('invoke').flatMap(({ message, atMs }) => (atMs > sinceMs ? [message] : [])))
    return ledger.of('start').find(({ message }) => later.has(message))
  }
  const program = { first: firstProbe + probed * probes, count: probes, perSecond: 50, keyPrefix: 'probe' }
  const publishing = publishAll(rig, program)
  probed += 1
  const endMs = performance.now() + limitMs
  while (first() === undefined && performance.now() < endMs) await delay(100)
  const found = first()
  const tookMs = (found?.atMs ?? Number.POSITIVE_INFINITY) - sinceMs
  if (found !== undefined) rig.set('recovery ms', Math.max(rig.figures['recovery ms'] ?? 0, tookMs))
  rig.expect(`no handler ran within ${limitMs} ms: ${what}`, tookMs <= limitMs, `${Math.round(tookMs)} ms`)
  await publishing
}
