import { createBus, silentLogger, type Transport } from '@evt/core'
import { type ConformanceCase, eventually, expectThat } from '@evt/core/conformance'
import { joinGroup, numberOf, outgoing, readSome, topic } from './by-hand.ts'
import { Keyed, Numbered } from './events.ts'
import { killMembers } from './killed-members.ts'
import type { MemberWork } from './member.ts'
import { type RunningProgram, startProgram } from './program.ts'

/** What a transport's test hands to the cases. */
export interface KilledFactory {
  /** A source file that calls `runMember`. */
  readonly program: URL
  /** For what members take. Where a session of the broker's holds it, that is what ends, and this is longer. */
  readonly leaseMs: number
  /** A place that sees nothing of earlier ones. */
  create(): Promise<KilledPlace>
}
export interface KilledPlace {
  /** Its plain topics have one partition, where they have any. */
  readonly transport: Transport
  /** With these a member finds the place. */
  readonly address: readonly string[]
  drop(): Promise<void>
}

interface Killed extends KilledPlace {
  readonly leaseMs: number
  startMember(work: MemberWork, count?: number, leaseMs?: number): RunningProgram
}

/** How long "nothing arrives" is watched. */
const quietMs = 500
/** Leases and sessions of killed members end within it. */
const limitMs = 30_000
/** Exit codes and signals. */
const killedBySignal = [null, 'SIGKILL']
const closed = [0, null]

/** What a transport promises about members of its groups that are killed. There are no switches: the cases read `supports`. */
export function killedCases(factory: KilledFactory): readonly ConformanceCase[] {
  const { program, leaseMs, create } = factory
  const over = (work: (killed: Killed) => Promise<void>) => async () => {
    const place = await create()
    const startMember = (name: MemberWork, count = 0, holdsMs = leaseMs) => {
      const member = startProgram(program, name, String(count), String(holdsMs), ...place.address)
      members.push(member)
      return member
    }
    const members: RunningProgram[] = []
    try {
      await work({ ...place, leaseMs, startMember })
    } finally {
      for (const { child } of members) child.kill('SIGKILL')
      await place.transport.close()
      await place.drop()
    }
  }
  return [
    {
      name: 'a killed process loses nothing: its only successor gets everything again, once its lease has ended and not before',
      run: over(takeOver),
    },
    {
      name: 'killed before the settlement and started again as the only member, it is given all that its handlers had done once more',
      run: over(startAgain),
    },
    {
      name: 'a group over partitions keeps the order of every key, without overlap, over two members that are killed at work',
      run: over(keepOrder),
    },
  ]
}

async function takeOver({ transport, leaseMs, startMember }: Killed): Promise<void> {
  const count = 120
  await transport.open()
  await transport.declare({ name: topic, partitions: undefined })
  expectSame(await transport.publish(range(count).map(outgoing)), [], 'all are accepted')
  const member = startMember('holds', count)
  await eventually(() => member.lines.length > 0, 'the member holds them', limitMs)
  expectSame(member.lines, [`holds ${count}`], 'the member holds all of them')
  const kill = async () => {
    member.child.kill('SIGKILL')
    expectSame(await endOf(member), killedBySignal, 'the member lives until it is killed')
  }
  // Where members own partitions, one that joins the living is given theirs.
  const joinsLate = transport.supports.ordering.plain === 'group'
  if (joinsLate) await kill()
  const next = await joinGroup(transport, leaseMs)
  expectSame((await readSome(next, 1, quietMs)).map(numberOf), [], 'nothing is handed over before the lease has ended')
  if (!joinsLate) await kill()
  const read = await readSome(next, count, limitMs, async (batch) => {
    const refusals = await next.settle(batch.map((delivery) => ({ delivery, as: 'ack' })))
    expectSame(refusals, [], 'the successor may settle what it is given')
  })
  expectSame(read.map(numberOf), range(count), 'everything is handed over again, in order')
  // The one whose run had begun has used an attempt; the others were only handed over.
  expectSame(
    read.map(({ attempt, deliveries, suspect }) => ({ attempt, deliveries, suspect })),
    range(count).map((n) => ({ attempt: n === 0 ? 2 : 1, deliveries: 2, suspect: true })),
    'all are suspects, and only a run that had begun is an attempt',
  )
  await next.close()
}

async function startAgain({ transport, startMember }: Killed): Promise<void> {
  const count = 20
  const bus = createBus({ service: 'test', transport, logger: silentLogger })
  await bus.publishMany(range(count).map((n) => Numbered.of({ n })))
  const killed = startMember('handles', count)
  expectSame(await endOf(killed), killedBySignal, 'it is killed before it settles')
  expectSame(inOrder(killed.lines), inOrder(range(count).map((n) => `${n} 1`)), 'every handler has run')
  // Redelivered ones run one at a time, each recorded before it runs: this death is known to have ended one run.
  const killedAgain = startMember('handles', 1)
  expectSame(await endOf(killedAgain), killedBySignal, 'it is killed again, before it settles')
  const [known] = killedAgain.lines.map((line) => Number(line.split(' ')[0]))
  expectSame(killedAgain.lines, [`${known} 1`], 'suspects run one at a time')
  const again = startMember('handles')
  await eventually(() => again.lines.length >= count, 'everything is handled again', limitMs)
  again.child.kill('SIGTERM')
  expectSame(await endOf(again), closed, 'it closes and ends')
  const once = range(count).map((n) => `${n} ${n === known ? 2 : 1}`)
  expectSame(
    inOrder(again.lines),
    inOrder(once),
    'all that handlers had done is done once more, with the attempts known',
  )
  await bus.close()
}

async function keepOrder({ transport, leaseMs, startMember }: Killed): Promise<void> {
  const bus = createBus({ service: 'test', transport, logger: silentLogger })
  await bus.register(Keyed, { partitions: 8 })
  const { broken, interrupted, ends } = await killMembers({
    // A member that a busy machine stops for longer than its lease may overlap with the next.
    start: () => startMember('handlesInOrder', 0, 2 * leaseMs),
    publish: (round) => bus.publishMany(round.map((payload) => Keyed.of(payload))),
    kills: 3,
  })
  expectSame(broken, [], 'no handler begins before all earlier ones of its key have ended')
  expectSame(ends, [closed, closed], 'those that are left close and end')
  expectThat(interrupted > 0, 'a handler was running when its member was killed')
  await bus.close()
}

async function endOf({ child, ended }: RunningProgram): Promise<readonly unknown[]> {
  await eventually(() => child.exitCode !== null || child.signalCode !== null, 'the member ends', limitMs)
  return ended
}
/** Compared as JSON: what Node makes and what Jest makes are arrays of two realms. */
function expectSame(actual: unknown, promised: unknown, promise: string): void {
  const [found, wanted] = [JSON.stringify(actual), JSON.stringify(promised)]
  expectThat(found === wanted, `${promise}\n  promised ${wanted}\n  found    ${found}`)
}
function inOrder(lines: readonly string[]): string[] {
  return [...lines].sort()
}
function range(count: number): number[] {
  return Array.from({ length: count }, (_each, n) => n)
}
