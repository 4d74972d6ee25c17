import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { kafka } from '@evt/servers'
import { kafkaTransport } from '../src/index.ts'
import { acks, consumeAs, numberOf, outgoing, range, readSome, topic } from './raw.ts'

const root = fileURLToPath(new URL('../../../..', import.meta.url))
const program = fileURLToPath(new URL('holding-process.ts', import.meta.url))
const quietMs = 500

kafka.describe('a process that is killed between its handlers and their settlement', () => {
  test('loses nothing: its only successor gets everything again, once its session has ended and not before', async () => {
    const { brokers, prefix, drop } = await kafka.fresh()
    const transport = kafkaTransport({ brokers, prefix: `${prefix}.`, partitions: 1 })
    await transport.open()
    await transport.declare({ name: topic, partitions: undefined })
    expect(await transport.publish(range(120).map((n) => outgoing(n)))).toEqual([])
    const args = ['--conditions=@evt/source', '--import', './tooling/typescript.mjs', program]
    const child = spawn(process.execPath, [...args, brokers[0]!, `${prefix}.`, '100'], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
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
})
