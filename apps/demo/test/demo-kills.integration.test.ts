import { setTimeout as delay } from 'node:timers/promises'
import { seededRandom } from '../src/random.ts'
import { demoDatabase, type Moment, startDemo } from './demo-process.ts'

jest.setTimeout(300_000)

const seed = Number(process.env.EVT_SEED ?? 1)
const size = 200
const together = 4

interface Kill {
  readonly phase: string
  /** Sent by the demo to itself at crash points, or else from outside so long after its start. */
  readonly moments: readonly Moment[]
  readonly afterMs?: number
}

/** Twenty moments: while it starts, takes in, works, and drains at the end or after SIGTERM. */
function kills(): readonly Kill[] {
  const random = seededRandom(seed)
  const between = (low: number, high: number) => Math.floor(low + random() * (high - low))
  const at = (point: string, low: number, high: number): Moment => ({
    point,
    nth: between(low, high),
    signal: 'SIGKILL',
  })
  const commits = 'tx.beforeCommit|tx.afterCommit'
  const afterTerm = () => {
    const nth = between(50, 250)
    return [
      { point: commits, nth, signal: 'SIGTERM' } as const,
      { point: commits, nth: nth + between(10, 60), signal: 'SIGKILL' } as const,
    ]
  }
  const times = <Item>(count: number, make: () => Item) => Array.from({ length: count }, make)
  return [
    ...times(4, () => ({ phase: 'start', moments: [], afterMs: between(100, 1_500) })),
    ...times(2, () => ({ phase: 'first commits', moments: [at(commits, 1, 20)] })),
    ...times(3, () => ({ phase: 'intake', moments: [at(commits, 20, 250)] })),
    ...times(4, () => ({ phase: 'work', moments: [at(commits, 250, 700)] })),
    ...times(2, () => ({ phase: 'publishing', moments: [at('outbox.published', 25, 600)] })),
    { phase: 'dead-lettering', moments: [at('deadLetter.appended', 1, 2)] },
    ...times(2, () => ({ phase: 'end', moments: [at('outbox.published', 675, 740)] })),
    ...times(2, () => ({ phase: 'drain', moments: afterTerm() })),
  ]
}

/** All that a run leaves behind, line by line and effect by effect. */
async function booksOf(database: Awaited<ReturnType<typeof demoDatabase>>) {
  const ask = async (sql: string) => (await database.pool.query(sql)).rows
  return {
    lines: await ask('select number::int, digest, fate, reason from demo.lines order by number'),
    orders: await ask('select id, payload from demo.orders order by id'),
    effects: await ask('select order_id, kind, count(*)::int from demo.effects group by 1, 2 order by 1, 2'),
    dead: await ask('select distinct key from evt_dlq order by key'),
    waiting: await ask('select message_id from evt_outbox'),
  }
}

test(`kill -9 at twenty moments of seed ${seed} and a new start end with the same books`, async () => {
  // On memory, because there the relay can be killed too; what brokers keep is killed in the tests of each.
  const args = (env: string) => ['--env', env, '--transport', 'memory', '--count', String(size), '--seed', String(seed)]
  const reference = await demoDatabase()
  expect((await startDemo(args(reference.env)).ended).code).toBe(0)
  const undisturbed = await booksOf(reference)
  await reference.drop()

  const outcomes: unknown[] = []
  const disturb = async ({ phase, moments, afterMs }: Kill) => {
    const database = await demoDatabase()
    const demo = startDemo(args(database.env), moments)
    if (afterMs !== undefined) {
      await Promise.race([delay(afterMs), demo.ended])
      demo.child.kill('SIGKILL')
    }
    const { signal } = await demo.ended
    const again = await startDemo(args(database.env)).ended
    const same = JSON.stringify(await booksOf(database)) === JSON.stringify(undisturbed)
    const told = again.code === 0 && again.stdout.includes('The books are clean.')
    await database.drop()
    if (signal !== 'SIGKILL' || !same || !told)
      outcomes.push({ phase, moments, afterMs, signal, same, code: again.code, output: again.stdout + again.stderr })
  }
  const waiting = [...kills()]
  expect(waiting).toHaveLength(20)
  const worker = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await disturb(next)
  }
  await Promise.all(Array.from({ length: together }, worker))
  expect(outcomes).toEqual([])
})
