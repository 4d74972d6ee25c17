import { once } from 'node:events'
import { createBus, defineEvent, silentLogger, type } from '@evt/core'
import { keyedRounds, killMembers, redis, startProgram } from '@evt/servers'
import { redisTransport } from '../src/index.ts'
import {
  acknowledge,
  consumeAs,
  eventually,
  publish,
  quietMs,
  range,
  readSome,
  testPlace,
  textOf,
} from './test-place.ts'

const handling = new URL('handling-process.ts', import.meta.url)
const holding = new URL('holding-process.ts', import.meta.url)
const ordered = new URL('ordered-process.ts', import.meta.url)
const Keyed = defineEvent('raw.keyed', { schema: type<{ key: string; n: number }>(), key: ({ key }) => key })
const Numbered = defineEvent('raw.numbered', { schema: type<{ n: number }>() })

redis.describe('a process that is killed between its handlers and their settlement', () => {
  test('loses nothing: its only successor gets everything again, once its lease has ended and not before', async () => {
    const fresh = await redis.fresh()
    const place = testPlace(fresh.url, fresh.prefix)
    const transport = await place.transport()
    await publish(transport, 120)
    const leaseMs = 1_500
    const { child } = startProgram(holding, fresh.url, fresh.prefix, String(leaseMs), '120')
    const [line] = (await once(child.stdout, 'data')) as [Buffer]
    expect(line.toString()).toBe('holds 120\n')
    const next = await consumeAs(transport, 'a')
    expect(await readSome(next, 1, quietMs)).toEqual([])
    child.kill('SIGKILL')
    await once(child, 'exit')
    const read = await readSome(next, 120)
    expect(read.map(textOf)).toEqual(range(120).map(String))
    // The one whose run had begun has used an attempt; the others were only fetched.
    expect(read.map(({ attempt, suspect }) => [attempt, suspect])).toEqual(
      range(120).map((n) => [n === 0 ? 2 : 1, true]),
    )
    expect(await acknowledge(next, read)).toBe(0)
    await next.close()
    place.close()
    await fresh.drop()
  }, 30_000)
  test('started again as the only member of its group, it is given all that its handlers had done once more', async () => {
    const fresh = await redis.fresh()
    const place = testPlace(fresh.url, fresh.prefix)
    const transport = redisTransport({ client: place.connect(), prefix: fresh.prefix })
    const bus = createBus({ service: 'test', transport, logger: silentLogger })
    await bus.publishMany(range(20).map((n) => Numbered.of({ n })))
    const run = (...killedAfter: readonly string[]) => startProgram(handling, fresh.url, fresh.prefix, ...killedAfter)
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
    await eventually(() => again.lines.length >= 20, 'everything is handled again')
    again.child.kill('SIGTERM')
    expect(await again.ended).toEqual([0, null])
    expect([...again.lines].sort()).toEqual(
      range(20)
        .map((n) => `${n} ${n === known ? 2 : 1}`)
        .sort(),
    )
    await bus.close()
    place.close()
    await fresh.drop()
  }, 60_000)
})

redis.describe('a group over partitions', () => {
  test('keeps the order of every key, without overlap, over two members that are killed at work', async () => {
    const fresh = await redis.fresh()
    const place = testPlace(fresh.url, fresh.prefix)
    const transport = redisTransport({ client: place.connect(), prefix: fresh.prefix })
    const bus = createBus({ service: 'test', transport, logger: silentLogger })
    await bus.register(Keyed, { partitions: 8 })
    for (const round of keyedRounds) await bus.publishMany(round.map((payload) => Keyed.of(payload)))
    const start = () => startProgram(ordered, fresh.url, fresh.prefix)
    try {
      const report = await killMembers({ start, kills: 3 })
      expect(report).toMatchObject({ broken: [], ends: range(2).map(() => [0, null]) })
      expect(report.interrupted).toBeGreaterThan(0)
    } finally {
      await bus.close()
      place.close()
      await fresh.drop()
    }
  }, 90_000)
})
