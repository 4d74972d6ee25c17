import { spawn, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { quickStartOf } from '../src/quick-start.ts'
import { type InstalledPackages, installPackages, root } from './installed-packages.ts'

jest.setTimeout(180_000)

let installed: InstalledPackages
const turbo = () => run(['tooling/turbo.mjs', 'build', 'pack-check'], root)
const quickStart = () => quickStartOf(readFileSync(join(root, 'README.md'), 'utf8'))

beforeAll(() => {
  turbo()
  installed = installPackages()
})
afterAll(() => installed.remove())

test('the second build and the second look into the packages come from the cache alone', () => {
  const counts = [...turbo().matchAll(/Cached: +(\d+) cached, (\d+) total/g)].map(([, cached, total]) => [
    cached,
    total,
  ])
  expect(counts.length).toBe(2)
  for (const [cached, total] of counts) expect(cached).toBe(total)
})

test('every entry of every package can be imported and required', () => {
  const list = JSON.stringify(installed.entries)
  const imports = installed.write('imports.mjs', `for (const entry of ${list}) await import(entry)`)
  const requires = installed.write('requires.cjs', `for (const entry of ${list}) require(entry)`)
  run([imports], installed.folder)
  run([requires], installed.folder)
  run(['--no-experimental-require-module', requires], installed.folder)
})

test('import and require give the same instance of core', () => {
  const program = installed.write(
    'instances.mjs',
    `import { createRequire } from 'node:module'
     import * as imported from '@evt/core'
     const required = createRequire(import.meta.url)('@evt/core')
     console.log(imported.createBus === required.createBus)`,
  )
  expect(run([program], installed.folder)).toBe('true\n')
})

test('an adapter finds its migrations in both of its builds', () => {
  const migrate = `
    const refused = new Error('refused')
    const pool = { connect: async () => { throw refused }, query: async () => { throw refused }, on() {} }
    pgOutbox({ pool }).migrate().catch((error) => console.log(error === refused || error.cause === refused))`
  const esm = installed.write('migrate.mjs', `import { pgOutbox } from '@evt/outbox-pg'\n${migrate}`)
  const commonjs = installed.write('migrate.cjs', `const { pgOutbox } = require('@evt/outbox-pg')\n${migrate}`)
  expect(run([esm], installed.folder)).toBe('true\n')
  expect(run(['--no-experimental-require-module', commonjs], installed.folder)).toBe('true\n')
})

test('core is at most 200 KiB packed and brings nothing along', () => {
  expect(installed.packedBytes('@evt/core')).toBeLessThanOrEqual(200 * 1_024)
  const file = join(installed.folder, 'node_modules/@evt/core/package.json')
  const { dependencies, peerDependencies } = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>
  expect([dependencies, peerDependencies]).toEqual([undefined, undefined])
})

describe('the quick start of the README', () => {
  test('has at most 20 lines', () => {
    expect(quickStart().trimEnd().split('\n').length).toBeLessThanOrEqual(20)
  })

  test('fits the published types, strictly', () => {
    const compilerOptions = {
      strict: true,
      module: 'nodenext',
      target: 'es2023',
      types: ['node'],
      exactOptionalPropertyTypes: true,
      noEmit: true,
    }
    installed.write('quick-start.ts', quickStart())
    installed.write('tsconfig.json', JSON.stringify({ compilerOptions, files: ['quick-start.ts'] }))
    run([join(root, 'node_modules/@typescript/native/bin/tsc'), '-p', 'tsconfig.json'], installed.folder)
  })

  test('does what it says, and ends on SIGTERM', async () => {
    const program = installed.write('quick-start.ts', quickStart())
    const loader = join(root, 'tooling/typescript.mjs')
    const child = spawn(process.execPath, ['--import', loader, program], {
      cwd: installed.folder,
      timeout: 30_000,
      killSignal: 'SIGKILL',
    })
    let output = ''
    let stopped = false
    const read = (chunk: Buffer) => {
      output += chunk.toString()
      if (!stopped && output.includes('R-1')) stopped = child.kill('SIGTERM')
    }
    child.stdout.on('data', read)
    child.stderr.on('data', read)
    const ended = await new Promise((resolve) => child.on('exit', (code, signal) => resolve(code ?? signal)))
    expect([ended, output]).toEqual([0, expect.stringContaining('R-1')])
  })
})

function run(command: readonly string[], cwd: string): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, command, { cwd, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command.join(' ')} ended with ${status}:\n${stdout}${stderr}`)
  return stdout
}
