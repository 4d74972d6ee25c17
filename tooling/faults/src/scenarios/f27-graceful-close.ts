import { setTimeout as delay } from 'node:timers/promises'
import type { Ledger } from '../ledger.ts'
import type { Member } from '../member.ts'
import { publishAll } from '../nemesis/publish-all.ts'
import type { Scenario } from '../scenario.ts'

const deadlineMs = 5_000
/** Between the signal, which the program tells of, and the call of close. */
const graceMs = 100

export const gracefulClose: Scenario = {
  id: 'F27',
  title: 'workers closed under load, one after the other, each with its successor beside it',
  limitSeconds: { quick: 180, long: 900 },
  quick: { messages: 2_000, perSecond: 400, closes: 3 },
  long: { messages: 10_000, perSecond: 120, closes: 20 },
  async run(rig, { messages = 0, perSecond = 0, closes = 0 }) {
    const worker = { closeDeadlineMs: deadlineMs, handlerMs: [0, 50] as const, relayLeaseMs: 5_000 }
    let current: Member = rig.worker(worker)
    await current.ready
    const publishing = publishAll(rig, { count: messages, perSecond })
    await rig.flowing()
    for (let done = 0; done < closes; done += 1) {
      await delay(rig.between(500, 1_500))
      const next = rig.worker(worker)
      await next.ready
      const startedMs = performance.now()
      await rig.stop([current])
      const tookMs = performance.now() - startedMs
      rig.expect('close took longer than its deadline', tookMs <= deadlineMs + 2_000, `${tookMs} ms`)
      rig.count('closes')
      current = next
    }
    await publishing
    await rig.quiet()
    await rig.stop([current])
    await rig.checkAll()
    const { late, again } = afterClose(rig.ledger)
    rig.expect('a handler started after close', late.length === 0, ...late.slice(0, 3))
    rig.expect('a finished message was delivered again', again.length === 0, `${again.length}`, ...again.slice(0, 3))
  },
}

function afterClose(ledger: Ledger): { late: readonly string[]; again: readonly string[] } {
  const closing = new Map(ledger.of('closing').map((entry) => [entry.pid, entry.atMs]))
  const done = new Set<string>()
  const late: string[] = []
  const again: string[] = []
  for (const entry of ledger.of('taken', 'end')) {
    if (entry.kind === 'end') {
      if (entry.as === 'returned') done.add(entry.message)
      continue
    }
    if (entry.atMs > (closing.get(entry.pid) ?? Number.POSITIVE_INFINITY) + graceMs) late.push(entry.message)
    if (done.has(entry.message)) again.push(entry.message)
  }
  return { late, again }
}
