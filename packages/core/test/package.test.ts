import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(__dirname, '..')
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<string, unknown>
const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter((file) =>
  file.endsWith('.ts'),
)
const read = (file: string) => readFileSync(join(root, 'src', file), 'utf8')
const source = files.map(read)
/** The suite is an entry of its own. */
const loaded = files.filter((file) => !file.startsWith('conformance')).map(read)

test('core needs nothing at run time, runs nothing at installation, and names the Node it needs', () => {
  // S20
  for (const field of ['dependencies', 'peerDependencies', 'optionalDependencies', 'bin'])
    expect(manifest[field]).toBeUndefined()
  for (const script of Object.keys((manifest.scripts ?? {}) as object))
    expect(script).not.toMatch(/^(pre|post)?(install|prepare|pack|publish)$/)
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

test('what core loads is plain ASCII: one other character doubles what the engine keeps and reads', () => {
  for (const text of loaded) {
    const withoutComments = text.replaceAll(/\/\*[\s\S]*?\*\/|^ *\/\/.*$/gm, '')
    expect(withoutComments).not.toMatch(/[^\0-\x7f]/)
  }
})
