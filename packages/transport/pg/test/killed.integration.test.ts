import { createBus, defineEvent, silentLogger, type } from '@evt/core'
import { keyedRounds, killMembers, postgres, startProgram } from '@evt/servers'
import { pgTransport } from '../src/index.ts'
import { until } from './harness.ts'

const handling = new URL('handling-process.ts', import.meta.url)
const ordered = new URL('ordered-process.ts', import.meta.url)
const Keyed = defineEvent('raw.keyed', { schema: type<{ key: string; n: number }>(), key: ({ key }) => key })
const Numbered = defineEvent('raw.numbered', { schema: type<{ n: number }>() })
const range = (count: number) => Array.from({ length: count }, (_value, index) => index)

postgres.describe('a process that is killed between its handlers and their settlement', () => {
  test('started again as the only member of its group, it is given all that its handlers had done once more', async () => {
    const { url, pool, drop } = await postgres.fresh()
    const transport = pgTransport({ pool })
    await transport.migrate()
    const bus = createBus({ service: 'test', transport, logger: silentLogger })
    await bus.publishMany(range(20).map((n) => Numbered.of({ n })))
    const run = (...killedAfter: readonly string[]) => startProgram(handling, url, ...killedAfter)
    const killed = run('20')
    expect(await killed.ended).toEqual([null, 'SIGKILL'])
    expect([...killed.lines].sort()).toEqual(
      range(20)
        .map((n) => `${n} 1`)
        .sort(),
    )
    // Redelivered ones run one at a time, each recorded before it runs: this death is known to have ended one run.
    const killedAgain = run('1')
    expect(await killedAgain.ended).toEqual([null, 'SIGKILL'])
    expect(killedAgain.lines).toEqual([expect.stringMatching(/^\d+ 1$/)])
    const known = Number(killedAgain.lines[0]!.split(' ')[0])
    const again = run()
    await until(() => again.lines.length >= 20)
    again.child.kill('SIGTERM')
    expect(await again.ended).toEqual([0, null])
    expect([...again.lines].sort()).toEqual(
      range(20)
        .map((n) => `${n} ${n === known ? 2 : 1}`)
        .sort(),
    )
    await bus.close()
    await drop()
  }, 60_000)
})

postgres.describe('a group over partitions', () => {
  test('keeps the order of every key, without overlap, over two members that are killed at work', async () => {
    const { url, pool, drop } = await postgres.fresh()
    const transport = pgTransport({ pool })
    await transport.migrate()
    const bus = createBus({ service: 'test', transport, logger: silentLogger })
    await bus.register(Keyed, { partitions: 8 })
    for (const round of keyedRounds) await bus.publishMany(round.map((payload) => Keyed.of(payload)))
    const start = () => startProgram(ordered, url)
    try {
      const report = await killMembers({ start, kills: 3 })
      expect(report).toMatchObject({ broken: [], ends: range(2).map(() => [0, null]) })
      expect(report.interrupted).toBeGreaterThan(0)
    } finally {
      await bus.close()
      await drop()
    }
  }, 90_000)
})
