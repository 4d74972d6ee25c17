import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const readme = readFileSync(join(__dirname, '../README.md'), 'utf8')
const read = (name: string) => readFileSync(join(__dirname, name), 'utf8')

test('the example of the README is the one that runs here', () => {
  expect(/```ts\n([\s\S]*?)```/.exec(readme)?.[1]).toBe(read('example.test.ts'))
})

test('the README names every error code of the package, and no other', () => {
  const codes = (text: string) => [...new Set(text.match(/EVT_TESTING_\w+/g))].sort()
  expect(codes(readme)).toEqual(codes(read('../src/errors.ts')))
})

test('the README has at most 60 lines', () => {
  expect(readme.trimEnd().split('\n').length).toBeLessThanOrEqual(60)
})
