import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { createBus, defineEvent, silentLogger, type } from '@evt/core'
import { postgres } from '@evt/servers'
import { pgTransport } from '../src/index.ts'
import { until } from './harness.ts'

const root = fileURLToPath(new URL('../../../..', import.meta.url))
const handling = fileURLToPath(new URL('handling-process.ts', import.meta.url))
const Numbered = defineEvent('raw.numbered', { schema: type<{ n: number }>() })
const range = (count: number) => Array.from({ length: count }, (_value, index) => index)

function start(program: string, ...given: readonly string[]) {
  const args = ['--conditions=@evt/source', '--import', './tooling/typescript.mjs', program, ...given]
  return spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
}

postgres.describe('a process that is killed between its handlers and their settlement', () => {
  test('started again as the only member of its group, it is given all that its handlers had done once more', async () => {
    const { url, pool, drop } = await postgres.fresh()
    const transport = pgTransport({ pool })
    await transport.migrate()
    const bus = createBus({ service: 'test', transport, logger: silentLogger })
    await bus.publishMany(range(20).map((n) => Numbered.of({ n })))
    const run = (killedAfter: readonly string[]) => {
      const handled: string[] = []
      const child = start(handling, url, ...killedAfter)
      createInterface(child.stdout).on('line', (line) => handled.push(line))
      return { child, handled, ended: once(child, 'close') }
    }
    const killed = run(['20'])
    expect(await killed.ended).toEqual([null, 'SIGKILL'])
    expect(killed.handled.sort()).toEqual(
      range(20)
        .map((n) => `${n} 1`)
        .sort(),
    )
    // Redelivered ones run one at a time, each recorded before it runs: this death is known to have ended one run.
    const killedAgain = run(['1'])
    expect(await killedAgain.ended).toEqual([null, 'SIGKILL'])
    expect(killedAgain.handled).toEqual([expect.stringMatching(/^\d+ 1$/)])
    const known = Number(killedAgain.handled[0]!.split(' ')[0])
    const again = run([])
    await until(() => again.handled.length >= 20)
    again.child.kill('SIGTERM')
    expect(await again.ended).toEqual([0, null])
    expect(again.handled.sort()).toEqual(
      range(20)
        .map((n) => `${n} ${n === known ? 2 : 1}`)
        .sort(),
    )
    await bus.close()
    await drop()
  }, 60_000)
})
