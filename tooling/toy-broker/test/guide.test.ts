import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(__dirname, '../../..')
const read = (path: string) => readFileSync(join(root, path), 'utf8')
const guide = read('docs/add-an-adapter.md')
const shown = [...guide.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code]) => code)

test.each(['tooling/toy-broker/src/toy-transport.ts', 'tooling/toy-broker/test/toy-transport.test.ts'])(
  'the guide on adapters shows %s as it is: paste the file over the block',
  (path) => {
    expect(shown).toContain(read(path))
  },
)

test('the transport of the guide imports nothing but Node and @evt/core', () => {
  const modules = [...read('tooling/toy-broker/src/toy-transport.ts').matchAll(/from '([^']+)'/g)].map(
    ([, name]) => name,
  )
  expect(modules).toEqual(['node:net', 'node:readline', '@evt/core'])
})
