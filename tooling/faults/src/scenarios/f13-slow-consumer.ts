import { finish } from '../finish.ts'
import { storeOrders } from '../harness-messages.ts'
import { startCrew } from '../nemesis/crew.ts'
import { publishAll } from '../nemesis/publish-all.ts'
import type { Scenario } from '../scenario.ts'
import { until } from '../until.ts'
import { usageOf } from '../usage.ts'

const concurrency = 16
const prefetch = 32
const paddingBytes = 1_024
const grownMb = 32
/** One with its headers, as it is kept between its fetch and its settlement. */
const messageMb = 2_048 / 1_048_576

export const slowConsumer: Scenario = {
  id: 'F13',
  title: 'a consumer that stands still behind a fast producer: bounds on memory and on what is in flight',
  limitSeconds: { quick: 180, long: 900 },
  quick: { messages: 3_000, warmUp: 1_500 },
  long: { messages: 100_000, warmUp: 5_000 },
  async run(rig, { messages = 0, warmUp = 0 }) {
    // What a relay needs is none of the consumer's: it is a process of its own where it may be.
    const { apart } = rig.stage
    const consuming = { keyed: false, concurrency, prefetch, handlerMs: [0, 2], relay: !apart } as const
    const crew = startCrew(rig, 1, () => rig.worker(consuming))
    await crew.ready
    const relays = startCrew(rig, apart ? 1 : 0, () => rig.worker({ groups: [] }))
    await relays.ready
    const worker = crew.running[0]!
    // What a process that works as fast as it can needs by itself.
    await storeOrders(rig, { first: 0, count: warmUp, paddingBytes })
    await rig.quiet()
    const before = await usageOf(rig, worker)
    worker.signal('SIGHUP')
    await storeOrders(rig, { first: warmUp, count: messages, paddingBytes })
    const count = Math.ceil(messages / 20)
    await publishAll(rig, { first: warmUp + messages, count, keys: 0, paddingBytes })
    // On a broker everything is there before the first is handled; elsewhere rows wait.
    const relayed = async () => (await rig.database.progress()).waiting === 0
    if (apart) rig.expect('the relay stands still as well', await until(relayed, 300_000))
    const stalled = await usageOf(rig, worker)
    worker.signal('SIGHUP')
    const { committed } = await rig.database.progress()
    // It works again, faster than before, with all that is left behind it.
    const isWorn = async () => (await rig.database.progress()).effects >= Math.min(committed, 3 * warmUp)
    // Of what a seeded bug lost there is nothing to wait for.
    await until(isWorn, rig.bug === undefined ? 300_000 : 10_000)
    const working = await usageOf(rig, worker)
    crew.rest()
    await rig.stop([worker])
    relays.rest()
    await rig.stop(relays.running)
    const { outstanding = 0, mostRunning = 0 } =
      rig.ledger.of('closed').find(({ pid }) => pid === worker.pid)?.figures ?? {}
    // What is left is none of this one's business.
    const others = startCrew(rig, 2, () => rig.worker({ keyed: false, bulk: true, prefetch: 400 }))
    await finish(rig, others)
    const grown = stalled.mostRssMb - before.rssMb
    const grownAtWork = working.mostRssMb - before.rssMb
    rig.set('most outstanding', outstanding)
    rig.set('baseline MB', before.rssMb)
    rig.set('grown MB', grown)
    rig.set('grown MB at work', grownAtWork)
    rig.expect('more handlers at once than allowed', mostRunning <= concurrency, `${mostRunning}`)
    // Fetched, running, and decided but not yet settled.
    const held = prefetch + concurrency
    rig.expect('more fetched than allowed', outstanding <= 2 * held, `${outstanding}`)
    const limitMb = grownMb + held * messageMb
    rig.expect(`memory grew by more than ${limitMb} MB`, grown <= limitMb, `${grown}`)
    // Garbage of a process that is busy for longer than it was warmed up.
    rig.expect(`memory grew by more than ${2 * limitMb} MB`, grownAtWork <= 2 * limitMb, `${grownAtWork}`)
  },
}
