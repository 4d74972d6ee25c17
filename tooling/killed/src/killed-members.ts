import { setTimeout as delay } from 'node:timers/promises'
import type { RunningProgram } from './program.ts'

/** A group of members in processes of their own, which handle messages with `toldRun`. */
export interface KilledMembers {
  start(): RunningProgram
  /** Publishes a message for each of these, in this order. */
  publish(round: readonly KeyedNumber[]): Promise<unknown>
  /** How often whichever member is at work is killed and replaced. */
  readonly kills: number
}
export interface KeyedNumber {
  readonly key: string
  /** Counted from 0 for each key. */
  readonly n: number
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
/** Rounds of one message of each key that are published and not handled: some work for everybody, at all times. */
const backlog = 10

/**
 * Kills members of a group by SIGKILL, one after the other, each while it runs a handler and another member works as well.
 * Messages are published for as long as that takes: on a slow machine a fixed number would be handled before the last kill.
 */
export async function killMembers({ start, publish, kills }: KilledMembers): Promise<KilledMembersReport> {
  const members = [start(), start()]
  const killedAt = new Map<number, bigint>()
  let rounds = 0
  const runs = () => members.flatMap(({ lines }, member) => runsOf(lines, member, killedAt.get(member)))
  const living = () => members.filter((_each, member) => !killedAt.has(member))
  const allWork = () => living().every(({ lines }) => lines.length > 0)
  const atWork = () => runs().filter(({ member, hasReturned }) => !killedAt.has(member) && !hasReturned)
  const handled = () => new Set(runs().flatMap(({ key, n, hasReturned }) => (hasReturned ? [`${key} ${n}`] : []))).size
  const feed = async () => {
    for (const full = Math.floor(handled() / keys) + backlog; rounds < full; rounds += 1)
      await publish(Array.from({ length: keys }, (_each, key) => ({ key: `k${key}`, n: rounds })))
  }
  try {
    for (let kill = 1; kill <= kills; kill += 1) {
      await until(() => allWork() && atWork().length > 0, `all members work before kill ${kill}`, feed)
      const { member } = atWork().reduce((newest, run) => (run.beganAt > newest.beganAt ? run : newest))
      killedAt.set(member, process.hrtime.bigint())
      members[member]!.child.kill('SIGKILL')
      await members[member]!.ended
      members.push(start())
    }
    await until(allWork, 'all members work after the last kill', feed)
    await until(() => handled() === rounds * keys, 'everything is handled')
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
      broken.push(
        `${key} ${n} began in member ${member} while ${running.n} ran in ${running.member}, for ${(beganAt - running.beganAt) / 1_000_000n} ms`,
      )
    if (n > 0 && !before.some((each) => each.n === n - 1 && each.hasReturned))
      broken.push(`${key} ${n} began in member ${member} before ${n - 1} had been handled`)
  }
  return broken
}

async function until(condition: () => boolean, what: string, meanwhile = async () => {}): Promise<void> {
  const endMs = performance.now() + limitMs
  while (!condition()) {
    if (performance.now() > endMs) throw new Error(`not within ${limitMs} ms: ${what}`)
    await meanwhile()
    await delay(20)
  }
}
