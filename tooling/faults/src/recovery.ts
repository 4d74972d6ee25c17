import { publishAll } from './nemesis/publish-all.ts'
import type { Rig } from './rig.ts'
import { until } from './until.ts'

const firstProbe = 10_000_000
const probes = 16
const startLimitMs = 60_000
let probed = 0

/** Waits until a handler has a message numbered from `first` to below `end`, so that what is done next strikes their like. */
export async function begun(rig: Rig, first: number, end: number): Promise<void> {
  const isBegun = () => rig.ledger.of('start').some(({ number }) => number >= first && number < end)
  rig.expect('no work began', await until(isBegun, startLimitMs, 100))
}

/**
 * Publishes some messages and waits until a worker is handed one of them, or again one that was handed over before that
 * moment; at most so long after the first was published, for starting a process on a busy machine is nobody's recovery.
 */
export async function expectReading(rig: Rig, sinceMs: number, limitMs: number, what: string): Promise<void> {
  const { ledger } = rig
  const program = { first: firstProbe + probed * probes, count: probes, perSecond: 50, keyPrefix: 'probe' }
  const publishing = publishAll(rig, program)
  probed += 1
  const later = () => ledger.of('ok').filter(({ atMs }) => atMs > sinceMs)
  await until(() => later().length > 0, startLimitMs)
  const fromMs = Math.max(sinceMs, later()[0]?.atMs ?? sinceMs)
  const before = new Set(ledger.of('taken').flatMap(({ message, atMs }) => (atMs <= sinceMs ? [message] : [])))
  const first = () => {
    const published = new Set(later().map(({ message }) => message))
    const isOfBroker = (message: string) => published.has(message) || before.has(message)
    return ledger.of('taken').find(({ message, atMs }) => atMs > sinceMs && isOfBroker(message))
  }
  await until(() => first() !== undefined, limitMs, 100)
  const tookMs = Math.max(0, (first()?.atMs ?? Number.POSITIVE_INFINITY) - fromMs)
  if (first() !== undefined) rig.set('recovery ms', Math.max(rig.figures['recovery ms'] ?? 0, tookMs))
  rig.expect(`nothing was handed over within ${limitMs} ms: ${what}`, tookMs <= limitMs, `${Math.round(tookMs)} ms`)
  await publishing
}
