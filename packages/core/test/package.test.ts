import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(__dirname, '..')
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<string, unknown>
const source = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => readFileSync(join(root, 'src', file), 'utf8'))

test('core needs nothing at run time, runs nothing at installation, and names the Node it needs', () => {
  // S20, D-160
  for (const field of ['dependencies', 'peerDependencies', 'optionalDependencies', 'scripts', 'bin'])
    expect(manifest[field]).toBeUndefined()
  expect(manifest.engines).toEqual({ node: '>=20.19' })
})

test('core imports only itself and Node, loads nothing by a computed name and evaluates nothing', () => {
  // S6, S20
  for (const text of source) {
    for (const [, from] of text.matchAll(/from '([^']+)'/g)) expect(from).toMatch(/^(\.|node:)/)
    expect(text).not.toMatch(/\b(eval|Function|require|import)\(/)
    expect(text).not.toMatch(/process\.env/)
  }
})

const readme = readFileSync(join(root, 'README.md'), 'utf8')

test('the README lists every error code with its meaning and what to do, and no other', () => {
  const codes = [...readFileSync(join(root, 'src/errors.ts'), 'utf8').matchAll(/^ {2}(EVT_[A-Z_]+):/gm)]
  const rows = [...readme.matchAll(/^\|([^|]*`EVT_[^|]*)\|[^|]*\w[^|]*\|[^|]*\w[^|]*\|$/gm)]
  const listed = rows.flatMap(([, cell]) => [...cell!.matchAll(/`(EVT_[A-Z_]+)`/g)].map(([, code]) => code))
  expect(listed.sort()).toEqual(codes.map(([, code]) => code).sort())
})

test('the README keeps to a page', () => {
  expect(readme.trimEnd().split('\n').length).toBeLessThanOrEqual(60)
})
