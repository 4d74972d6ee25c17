import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { sourceRun } from '@evt/servers'

const root = join(__dirname, '../../..')
const programs = ['hello', 'wire', 'quick-start', 'worker', 'batch', 'ordered', 'middleware', 'routing', 'core-readme']

test.each(programs)('the program %s runs to its end as its author expects', (program) => {
  const file = join('tooling/programs/src', `${program}.ts`)
  const run = spawnSync(process.execPath, [...sourceRun.execArgv, file], {
    cwd: sourceRun.cwd,
    encoding: 'utf8',
    timeout: 30_000,
  })
  expect([run.status, run.stderr]).toEqual([0, ''])
})

test("core's README shows the program that is checked and run here", () => {
  const readme = readFileSync(join(root, 'packages/core/README.md'), 'utf8')
  const [, example] = /^```ts\n([\s\S]*?)^```$/m.exec(readme)!
  expect(readFileSync(join(root, 'tooling/programs/src/core-readme.ts'), 'utf8')).toContain(example)
})

function programsIn(file: string): readonly string[] {
  const text = readFileSync(join(root, file), 'utf8')
  return [...text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, program]) => program!)
}

const below = (folder: string) => readdirSync(join(root, folder)).map((name) => `${folder}/${name}`)
const readmes = below('packages')
  .flatMap((folder) => [folder, ...below(folder)])
  .map((folder) => `${folder}/README.md`)
  .filter((file) => existsSync(join(root, file)) && !/^packages\/(core|testing)\//.test(file))

test.each(readmes)('the examples of %s are among those that are checked here', (file) => {
  const checked = readFileSync(join(root, 'tooling/programs/src/package-readmes.ts'), 'utf8').replace(/^ {2}/gm, '')
  const examples = programsIn(file)
  expect(examples).not.toEqual([])
  for (const example of examples) expect(checked).toContain(`{\n${example.replace(/^import .*\n\n?/gm, '')}`)
})

test('the programs of docs/events.md are those that are checked here', () => {
  const checked = readFileSync(join(root, 'tooling/programs/src/events-guide.ts'), 'utf8').replace(/^ {2}/gm, '')
  const programs = programsIn('docs/events.md')
  expect(programs).toHaveLength(4)
  for (const program of programs) expect(checked).toContain(`{\n${program}`)
})
