import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { createBus, silentLogger } from '@evt/core'
import { freshDatabase } from '@evt/servers'
import { pgTransport } from '../src/index.ts'
import { Numbered, until } from './harness.ts'

const root = fileURLToPath(new URL('../../../..', import.meta.url))
const handling = fileURLToPath(new URL('handling-process.ts', import.meta.url))
const range = (count: number) => Array.from({ length: count }, (_none, index) => index)

/** Starts `handling-process.ts`; answers what it handled, in order, and how it ended. */
function startHandling(...given: readonly string[]) {
  const args = ['--conditions=@evt/source', '--import', './tooling/typescript.mjs', handling, ...given]
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
  const handled: number[] = []
  child.stdout.on('data', (data: Buffer) => handled.push(...data.toString().trim().split('\n').map(Number)))
  return { child, handled, ended: once(child, 'close') }
}

describe('a process that is killed between its handlers and their settlement', () => {
  test('hands over again what it handled, also to the same single consumer after its restart', async () => {
    const { url, pool, drop } = await freshDatabase()
    const transport = pgTransport({ pool })
    await transport.migrate()
    const bus = createBus({ service: 'test', logger: silentLogger, transport })
    await bus.register(Numbered)
    await bus.publishMany(range(20).map((n) => Numbered.of({ n })))
    const first = startHandling(url, 'dies')
    expect(await first.ended).toEqual([null, 'SIGKILL'])
    expect(first.handled.length).toBeGreaterThan(0)
    const second = startHandling(url)
    await until(() => second.handled.length >= 20)
    second.child.kill('SIGTERM')
    expect(await second.ended).toEqual([0, null])
    expect(second.handled.sort((left, right) => left - right)).toEqual(range(20))
    await bus.close()
    await drop()
  }, 60_000)
})
