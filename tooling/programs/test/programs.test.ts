import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(__dirname, '../../..')
const programs = ['hello', 'wire', 'quick-start', 'worker', 'batch', 'ordered', 'middleware', 'routing', 'core-readme']

test.each(programs)('the program %s runs to its end as its author expects', (program) => {
  // D-154
  const file = join('tooling/programs/src', `${program}.ts`)
  const command = ['--conditions=@evt/source', '--import', './tooling/typescript.mjs', file]
  const run = spawnSync(process.execPath, command, { cwd: root, encoding: 'utf8', timeout: 30_000 })
  expect([run.status, run.stderr]).toEqual([0, ''])
})

test("core's README shows the program that is checked and run here", () => {
  // D-154
  const readme = readFileSync(join(root, 'packages/core/README.md'), 'utf8')
  const [, example] = /^```ts\n([\s\S]*?)^```$/m.exec(readme)!
  expect(readFileSync(join(root, 'tooling/programs/src/core-readme.ts'), 'utf8')).toContain(example)
})
