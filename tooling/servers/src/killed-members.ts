import { setTimeout as delay } from 'node:timers/promises'
import type { RunningProgram } from './program.ts'

/** A group of members in processes of their own, which handle messages with `toldRun`. */
export interface KilledMembers {
  start(): RunningProgram
  /** How often whichever member is at work is killed and replaced. */
  readonly kills: number
}
export interface KilledMembersReport {
  /** Where a handler began before all earlier ones of its key had ended, a sentence each. */
  readonly broken: readonly string[]
  /** Handlers that a kill ended. */
  readonly interrupted: number
  /** Exit code and signal of the members that were left. */
  readonly ends: readonly (readonly unknown[])[]
}
interface Run {
  readonly member: number
  readonly key: string
  readonly n: number
  readonly beganAt: bigint
  /** When it returned or its member was killed. */
  endedAt: bigint | undefined
  hasReturned: boolean
}

const limitMs = 60_000
const keys = 16
const numbers = 40
const messages = keys * numbers

/** What is to be published for the members, in this order: one message of each key, then the next of each, numbered from 0. */
export const keyedRounds: readonly (readonly { readonly key: string; readonly n: number }[])[] = Array.from(
  { length: numbers },
  (_round, n) => Array.from({ length: keys }, (_key, key) => ({ key: `k${key}`, n })),
)

/** Kills members of a group by SIGKILL, one after the other, while two of them work until all `keyedRounds` are handled. */
export async function killMembers({ start, kills }: KilledMembers): Promise<KilledMembersReport> {
  const members = [start(), start()]
  const killedAt = new Map<number, bigint>()
  const runs = () => members.flatMap(({ lines }, member) => runsOf(lines, member, killedAt.get(member)))
  const living = () => members.filter((_each, member) => !killedAt.has(member))
  const handled = () => new Set(runs().flatMap(({ key, n, hasReturned }) => (hasReturned ? [`${key} ${n}`] : []))).size
  try {
    await until(() => members.every(({ lines }) => lines.length > 0), 'both members work')
    for (let kill = 1; kill <= kills; kill += 1) {
      await until(() => handled() >= (messages * kill) / (kills + 2), `enough is handled for kill ${kill}`)
      const { member } = runs().reduce((newest, run) => (run.beganAt > newest.beganAt ? run : newest))
      killedAt.set(member, process.hrtime.bigint())
      members[member]!.child.kill('SIGKILL')
      await members[member]!.ended
      members.push(start())
    }
    await until(() => handled() >= messages, 'everything is handled')
    const left = living()
    for (const { child } of left) child.kill('SIGTERM')
    const ends = await Promise.all(left.map(({ ended }) => ended))
    const all = runs()
    const interrupted = all.filter(({ member, hasReturned }) => killedAt.has(member) && !hasReturned).length
    return { broken: brokenOrder(all), interrupted, ends }
  } finally {
    for (const { child } of members) child.kill('SIGKILL')
  }
}

function runsOf(lines: readonly string[], member: number, killedAt: bigint | undefined): readonly Run[] {
  const runs = new Map<string, Run>()
  const all: Run[] = []
  for (const line of lines) {
    const [what, key = '', n = '', at = ''] = line.split(' ')
    const name = `${key} ${n}`
    if (what === 'begin') {
      const run = { member, key, n: Number(n), beganAt: BigInt(at), endedAt: killedAt, hasReturned: false }
      runs.set(name, run)
      all.push(run)
    } else Object.assign(runs.get(name)!, { endedAt: BigInt(at), hasReturned: true })
  }
  return all
}

function brokenOrder(runs: readonly Run[]): readonly string[] {
  const earlier = new Map<string, Run[]>()
  const broken: string[] = []
  for (const run of [...runs].sort((left, right) => Number(left.beganAt - right.beganAt))) {
    const { key, n, member, beganAt } = run
    const before = earlier.get(key) ?? []
    earlier.set(key, [...before, run])
    const running = before.find(({ endedAt }) => endedAt === undefined || endedAt > beganAt)
    if (running !== undefined)
      broken.push(`${key} ${n} began in member ${member} while ${running.n} ran in ${running.member}`)
    if (n > 0 && !before.some((each) => each.n === n - 1 && each.hasReturned))
      broken.push(`${key} ${n} began in member ${member} before ${n - 1} had been handled`)
  }
  return broken
}

async function until(condition: () => boolean, what: string): Promise<void> {
  const endMs = performance.now() + limitMs
  while (!condition()) {
    if (performance.now() > endMs) throw new Error(`not within ${limitMs} ms: ${what}`)
    await delay(20)
  }
}
