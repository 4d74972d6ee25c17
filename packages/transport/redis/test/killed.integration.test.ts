import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { createBus, silentLogger } from '@evt/core'
import { redis } from '@evt/servers'
import {
  acknowledge,
  consumeAs,
  eventually,
  Numbered,
  publish,
  quietMs,
  range,
  readSome,
  testPlace,
  textOf,
} from './test-place.ts'

const root = fileURLToPath(new URL('../../../..', import.meta.url))
const program = fileURLToPath(new URL('holding-process.ts', import.meta.url))
const handling = fileURLToPath(new URL('handling-process.ts', import.meta.url))

/** Starts `handling-process.ts`; answers what it handled, in order, and how it ended. */
function startHandling(...given: readonly string[]) {
  const args = ['--conditions=@evt/source', '--import', './tooling/typescript.mjs', handling, ...given]
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
  const handled: number[] = []
  child.stdout.on('data', (data: Buffer) => handled.push(...data.toString().trim().split('\n').map(Number)))
  return { child, handled, ended: once(child, 'close') }
}

redis.describe('a process that is killed between its handlers and their settlement', () => {
  test('loses nothing: its only successor gets everything again, once its lease has ended and not before', async () => {
    const fresh = await redis.fresh()
    const place = testPlace(fresh.url, fresh.prefix)
    const transport = await place.transport()
    await publish(transport, 120)
    const leaseMs = 1_500
    const args = ['--conditions=@evt/source', '--import', './tooling/typescript.mjs', program]
    const child = spawn(process.execPath, [...args, fresh.url, fresh.prefix, String(leaseMs), '120'], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
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
  test('hands over again what it handled, also to the same single consumer after its restart', async () => {
    const fresh = await redis.fresh()
    const place = testPlace(fresh.url, fresh.prefix)
    await using bus = createBus({ service: 'test', logger: silentLogger, transport: await place.transport() })
    await bus.publishMany(range(20).map((n) => Numbered.of({ n })))
    const first = startHandling(fresh.url, fresh.prefix, 'dies')
    expect(await first.ended).toEqual([null, 'SIGKILL'])
    expect(first.handled.length).toBeGreaterThan(0)
    const second = startHandling(fresh.url, fresh.prefix)
    await eventually(() => second.handled.length >= 20, 'everything is handled')
    second.child.kill('SIGTERM')
    expect(await second.ended).toEqual([0, null])
    expect(second.handled.sort((left, right) => left - right)).toEqual(range(20))
    await bus.close()
    place.close()
    await fresh.drop()
  }, 60_000)
})
