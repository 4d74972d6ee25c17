import { setTimeout as delay } from 'node:timers/promises'
import { machineMs } from './machine-time.ts'
import type { Member } from './member.ts'
import type { Rig } from './rig.ts'
import { until } from './until.ts'

export interface Usage {
  readonly cpuMs: number
  readonly rssMb: number
  /** Since it was asked last. */
  readonly mostRssMb: number
}

const burst = 4
const linesPerSecond = 2
const cpuPercent = 20

/** A worker that has nothing to do but to get over something neither logs much nor spins. */
export async function expectCalm(rig: Rig, member: Member, what: string, forMs: number): Promise<void> {
  const beganMs = machineMs()
  const before = await cpuMs(rig, member)
  await delay(forMs)
  const spent = (await cpuMs(rig, member)) - before
  const percent = (100 * spent) / (machineMs() - beganMs)
  const lines = rig.ledger.of('error').filter(({ pid, atMs }) => pid === member.pid && atMs >= beganMs)
  const most = burst + (linesPerSecond * forMs) / 1_000
  rig.set('most log lines at rest', Math.max(rig.figures['most log lines at rest'] ?? 0, lines.length))
  rig.set('most CPU percent at rest', Math.max(rig.figures['most CPU percent at rest'] ?? 0, percent))
  const texts = lines.slice(0, 3).map(({ during, text }) => `${during}: ${text}`)
  rig.expect(`more than ${linesPerSecond} log lines a second: ${what}`, lines.length <= most, ...texts)
  rig.expect(`a hot loop: ${what}`, percent <= cpuPercent, `${Math.round(percent)} % of a processor`)
}

async function cpuMs(rig: Rig, member: Member): Promise<number> {
  return (await usageOf(rig, member)).cpuMs
}

/** What a worker uses now, as it tells. */
export async function usageOf(rig: Rig, member: Member): Promise<Usage> {
  const told = () => rig.ledger.of('usage').filter(({ pid }) => pid === member.pid)
  const before = told().length
  member.signal('SIGUSR2')
  rig.expect('a worker does not answer', await until(() => told().length > before, 10_000))
  return told().at(-1) ?? { cpuMs: 0, rssMb: 0, mostRssMb: 0 }
}
