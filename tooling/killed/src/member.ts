import { writeSync } from 'node:fs'
import { type Bus, createBus, silentLogger, type Transport } from '@evt/core'
import { joinGroup, readSome, topic } from './by-hand.ts'
import { Keyed, Numbered } from './events.ts'
import { toldRun } from './told-run.ts'

/** What a member does until it is killed; those with a bus also until SIGTERM. */
export type MemberWork = 'holds' | 'handles' | 'handlesInOrder'

interface Member {
  readonly transport: Transport
  readonly leaseMs: number
  /** 0: no number was given. */
  readonly count: number
}

const works: Readonly<Record<MemberWork, (member: Member) => Promise<void>>> = { holds, handles, handlesInOrder }
const readMs = 30_000

/** The program of one member of a group, over the transport at the address that the cases give it. */
export async function runMember(transportAt: (...address: readonly string[]) => Transport): Promise<void> {
  const [work, count, leaseMs, ...address] = process.argv.slice(2)
  await works[work as MemberWork]({
    transport: transportAt(...address),
    leaseMs: Number(leaseMs),
    count: Number(count),
  })
}

/** Takes so many messages, begins one, and does nothing with them. */
async function holds({ transport, leaseMs, count }: Member): Promise<void> {
  await transport.open()
  await transport.declare({ name: topic, partitions: undefined })
  const consumer = await joinGroup(transport, leaseMs)
  const read = await readSome(consumer, count, readMs)
  await consumer.settle(read.slice(0, 1).map((delivery) => ({ delivery, as: 'started' as const })))
  writeSync(1, `holds ${read.length}\n`)
  // Core, which renews leases, is not here; where a session is the lease, reading on keeps it.
  setInterval(() => void consumer.extend(read), leaseMs / 3)
  for (;;) await consumer.read({ messages: 1, bytes: 1_000 }, new AbortController().signal)
}

/** Its handlers do their work. Told how many, it is killed between their return and the settlement. */
async function handles({ transport, leaseMs, count }: Member): Promise<void> {
  let handled = 0
  let release = () => {}
  const allHaveBegun = new Promise<void>((resolve) => {
    release = resolve
  })
  const crash = (name: string) => {
    if (name === 'delivery.decided' && count > 0 && handled >= count) process.kill(process.pid, 'SIGKILL')
  }
  Object.assign(globalThis, { [Symbol.for('evt.crashPoint')]: crash })
  const bus = busOver(transport)
  await bus.subscribe(
    Numbered,
    async ({ n }, { attempt }) => {
      handled += 1
      writeSync(1, `${n} ${attempt}\n`)
      // None is settled before the last of them has begun.
      if (handled >= count) release()
      await allHaveBegun
    },
    { group: 'a', concurrency: 20, leaseMs },
  )
}

async function handlesInOrder({ transport, leaseMs }: Member): Promise<void> {
  await busOver(transport).subscribe(Keyed, toldRun, { group: 'a', ordered: 'group', leaseMs })
}

function busOver(transport: Transport): Bus {
  const bus = createBus({ service: 'test', transport, logger: silentLogger })
  process.once('SIGTERM', () => void bus.close().then(() => process.exit()))
  return bus
}
