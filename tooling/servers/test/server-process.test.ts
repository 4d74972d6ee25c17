import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { freePort } from '../src/free-port.ts'
import { startServerProcess } from '../src/server-process.ts'

const deadlineMs = 20_000
const listen = (port: number) => `require('node:net').createServer().listen(${port}, '127.0.0.1')`

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = Date.now() + deadlineMs
  while (!(await condition())) {
    if (Date.now() > endMs) throw new Error('the condition did not come true')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port })
    socket.once('error', () => resolve(false)).once('connect', () => resolve(true))
    socket.once('connect', () => socket.destroy())
  })
}

it('a server and its folder go when the process that started it is killed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'evt-killed-'))
  const port = await freePort()
  const settings = {
    name: 'a listener',
    url: `tcp://127.0.0.1:${port}`,
    command: process.execPath,
    args: ['-e', listen(port)],
    removeFolder: folder,
  }
  const source = pathToFileURL(join(__dirname, '../src/server-process.ts')).href
  const program = `import { startServerProcess } from ${JSON.stringify(source)}
await startServerProcess({ ...${JSON.stringify(settings)}, ready: async () => true })
process.stdout.write('up')
setInterval(() => undefined, 1_000)`
  const hooks = pathToFileURL(join(__dirname, '../../typescript.mjs')).href
  const flags = ['--conditions=@evt/source', '--import', hooks, '--input-type=module', '-e', program]
  const runner = spawn(process.execPath, flags, { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(runner.stdout, 'data')
  expect(await listens(port)).toBe(true)
  runner.kill('SIGKILL')
  await until(async () => !(await listens(port)) && !existsSync(folder))
})

it('a server that ends instead of starting is reported with its last words', async () => {
  const failed = startServerProcess({
    name: 'A broken server',
    url: `tcp://127.0.0.1:${await freePort()}`,
    command: process.execPath,
    args: ['-e', "console.error('no memory'); process.exit(3)"],
    ready: async () => true,
  })
  await expect(failed).rejects.toThrow('A broken server ended instead of starting: no memory')
})

it('a program that is not there is reported by name', async () => {
  const failed = startServerProcess({
    name: 'A missing server',
    url: `tcp://127.0.0.1:${await freePort()}`,
    command: 'no-such-program',
    args: [],
    ready: async () => true,
  })
  await expect(failed).rejects.toThrow('spawn no-such-program ENOENT')
})
