import { once } from 'node:events'
import { createBus, defineEvent, silentLogger, type } from '@evt/core'
import { kafka, keyedRounds, killMembers, startProgram } from '@evt/servers'
import { kafkaTransport } from '../src/index.ts'
import { acks, consumeAs, eventually, numberOf, outgoing, range, readSome, topic } from './raw.ts'

const handling = new URL('handling-process.ts', import.meta.url)
const holding = new URL('holding-process.ts', import.meta.url)
const ordered = new URL('ordered-process.ts', import.meta.url)
const Keyed = defineEvent('raw.keyed', { schema: type<{ key: string; n: number }>(), key: ({ key }) => key })
const Numbered = defineEvent('raw.numbered', { schema: type<{ n: number }>() })
const quietMs = 500

kafka.describe('a process that is killed between its handlers and their settlement', () => {
  test('loses nothing: its only successor gets everything again, once its session has ended and not before', async () => {
    const { brokers, prefix, drop } = await kafka.fresh()
    const transport = kafkaTransport({ brokers, prefix: `${prefix}.`, partitions: 1 })
    await transport.open()
    await transport.declare({ name: topic, partitions: undefined })
    expect(await transport.publish(range(120).map((n) => outgoing(n)))).toEqual([])
    const { child } = startProgram(holding, brokers[0]!, `${prefix}.`, '100')
    const [line] = (await once(child.stdout, 'data')) as [Buffer]
    expect(line.toString()).toBe('holds 100\n')
    child.kill('SIGKILL')
    await once(child, 'exit')
    const next = await consumeAs(transport, 'a')
    expect(await readSome(next, 1, quietMs)).toEqual([])
    const read = await readSome(next, 120, 30_000)
    expect(read.map(numberOf)).toEqual(range(120))
    // The one whose run had begun has used an attempt; all that may have been handed over are suspects.
    expect(read[0]).toMatchObject({ attempt: 2, suspect: true, deliveries: 2 })
    expect(read.slice(1).every(({ attempt }) => attempt === 1)).toBe(true)
    expect(read.slice(0, 100).every(({ suspect }) => suspect)).toBe(true)
    expect(await next.settle(acks(read))).toEqual([])
    await next.close()
    await transport.close()
    await drop()
  }, 60_000)
  test('started again as the only member of its group, it is given all that its handlers had done once more', async () => {
    const { brokers, prefix, drop } = await kafka.fresh()
    const transport = kafkaTransport({ brokers, prefix: `${prefix}.`, partitions: 1 })
    const bus = createBus({ service: 'test', transport, logger: silentLogger })
    await bus.publishMany(range(20).map((n) => Numbered.of({ n })))
    const run = (...killedAfter: readonly string[]) => startProgram(handling, brokers[0]!, `${prefix}.`, ...killedAfter)
    const killed = run('20')
    expect(await killed.ended).toEqual([null, 'SIGKILL'])
    expect(killed.lines).toEqual(range(20).map((n) => `${n} 1`))
    const again = run()
    await eventually(() => again.lines.length >= 20, 'everything is handled again')
    again.child.kill('SIGTERM')
    await again.ended
    expect(again.lines.map((line) => Number(line.split(' ')[0])).sort((left, right) => left - right)).toEqual(range(20))
    await bus.close()
    await drop()
  }, 60_000)
})

kafka.describe('a group', () => {
  test('keeps the order of every key, without overlap, over two members that are killed at work', async () => {
    const { brokers, prefix, drop } = await kafka.fresh()
    const transport = kafkaTransport({ brokers, prefix: `${prefix}.`, partitions: 8 })
    const bus = createBus({ service: 'test', transport, logger: silentLogger })
    await bus.register(Keyed)
    for (const round of keyedRounds) await bus.publishMany(round.map((payload) => Keyed.of(payload)))
    const start = () => startProgram(ordered, brokers[0]!, `${prefix}.`)
    try {
      const report = await killMembers({ start, kills: 2 })
      expect(report).toMatchObject({ broken: [], ends: range(2).map(() => [0, null]) })
      expect(report.interrupted).toBeGreaterThan(0)
    } finally {
      await bus.close()
      await drop()
    }
  }, 90_000)
})
