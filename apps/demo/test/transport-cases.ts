import type { RunningServer, TestServer } from '@evt/servers'
import { generateOrders } from '../src/generate-orders.ts'
import { seededRandom } from '../src/random.ts'
import {
  type DemoDatabase,
  type DemoProcess,
  demoDatabase,
  figure,
  type Moment,
  startDemo,
  until,
} from './demo-process.ts'
import { expectedFates } from './expected-fates.ts'

const size = 300
/** Orders that come with each worker, where a kill loses what the dead one had: what two of them share ends one of them. */
const perWorker = 25
const kills = 10
const seed = Number(process.env.EVT_SEED ?? 1)

export interface TransportCases {
  readonly transport: string
  /** The line of the file of addresses that names its server. */
  readonly variable: string
  readonly server: Pick<TestServer<{ readonly url: string }, object>, 'name' | 'fresh'>
  /** A server that keeps what it accepted also when it is killed. */
  startOwn(): Promise<RunningServer>
  /** At most once: then every message is handled or lost. */
  readonly lossy?: boolean
}

/** What the demo promises over any transport. */
export function transportCases(cases: TransportCases): void {
  describe(`the demo over ${cases.transport}`, () => body(cases))
}

function body({ transport, variable, server, startOwn, lossy = false }: TransportCases): void {
  const running: DemoProcess[] = []
  let database: DemoDatabase
  const open = async (url: string) => {
    // On PostgreSQL the transport's server is that of the books.
    database = variable === 'EVT_PG_URL' ? await demoDatabase(url) : await demoDatabase(undefined, { [variable]: url })
  }
  const start = (services?: string, moments?: readonly Moment[], more: readonly string[] = []) => {
    const args = ['--env', database.env, '--transport', transport, '--count', String(size), ...more]
    const demo = startDemo(services === undefined ? args : [...args, '--services', services], moments)
    running.push(demo)
    return demo
  }
  const reserved = async (): Promise<number> => {
    const sql = "select count(*)::int as count from demo.effects where kind = 'reservation'"
    return (await database.pool.query<{ count: number }>(sql)).rows[0]!.count
  }
  const expectClean = async (demo: DemoProcess, mayLose = false) => {
    const { code, stdout, stderr } = await demo.ended
    const { rows: dead } = await database.pool.query('select key, consumer, reason from evt_dlq')
    expect(`${stdout}${stderr}${JSON.stringify(dead)}`).toContain('The books are clean')
    expect(code).toBe(0)
    const expected = expectedFates(size, 1)
    const ends = ['shipped', 'cancelled', 'dead-lettered'].map((name) => figure(stdout, name))
    const lost = lossy ? figure(stdout, 'lost (NATS core delivers at most once)') : 0
    if (lossy) expect(figure(stdout, 'published')).toBe(figure(stdout, 'handled') + lost)
    if (mayLose) {
      expect(ends.reduce((sum, count) => sum + count, lost)).toBe(expected.accepted)
      expect(ends[0]).toBeGreaterThan(0)
    } else expect([...ends, lost]).toEqual([expected.shipped, expected.cancelled, expected.dead, 0])
  }
  afterEach(async () => {
    for (const { child, ended } of running.splice(0)) {
      child.kill('SIGKILL')
      await ended
    }
    await database.drop()
  })

  describe('on a server that is there', () => {
    let place: { readonly url: string; drop?(): Promise<void> }
    beforeEach(async () => {
      place = await server.fresh()
      await open(place.url)
    })
    afterEach(() => place.drop?.())

    test('ends with clean books', () => expectClean(start()))

    test('ends with clean books where its services are processes of their own', async () => {
      const services = ['payment', 'inventory', 'shipping,audit'].map((names) => start(names))
      await Promise.all(services.map((demo) => demo.says('at work')))
      await expectClean(start('intake'))
      for (const { child } of services) child.kill('SIGTERM')
      for (const { ended } of services) expect(await ended).toMatchObject({ code: 0, signal: null })
    })

    test(`ends with clean books though its workers are killed ten times at moments of seed ${seed}`, async () => {
      const random = seededRandom(seed)
      const moments = Array.from({ length: kills }, () => {
        const nth = 1 + Math.floor(random() * 60)
        return { point: 'tx.beforeCommit|tx.afterCommit', nth, signal: 'SIGKILL' } as const
      })
      const intake = start('intake,audit', [], lossy ? ['--orders', '-'] : [])
      const lines = Array.from(generateOrders({ count: size, seed: 1 }), (line) => `${line}\n`)
      const startWorker = async (due: readonly Moment[]) => {
        const demo = start('payment,inventory,shipping', due)
        // Its moment may come before it has said so.
        await demo.says('at work').catch(() => undefined)
        if (lossy) intake.child.stdin?.write(lines.splice(0, perWorker).join(''))
        return demo
      }
      const endings: unknown[] = []
      const worker = async () => {
        for (let moment = moments.shift(); moment !== undefined; moment = moments.shift())
          endings.push((await (await startWorker([moment])).ended).signal)
      }
      // Two of them: those that live take over what the dead one held.
      await Promise.all([worker(), worker()])
      await startWorker([])
      if (lossy) intake.child.stdin?.end(lines.join(''))
      await expectClean(intake, lossy)
      expect(endings).toEqual(Array.from({ length: kills }, () => 'SIGKILL'))
    })
  })

  test('ends with clean books though the server restarts in the middle, gracefully and by SIGKILL', async () => {
    const own = await startOwn()
    try {
      await open(own.url)
      const demo = start()
      for (const kill of [false, true]) {
        const before = await reserved().catch(() => 0)
        await until(async () => (await reserved()) > before + 40)
        await own.restart({ kill })
      }
      await expectClean(demo, lossy)
    } finally {
      await own.stop()
    }
  })
}
