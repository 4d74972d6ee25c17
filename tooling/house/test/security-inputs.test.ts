import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(__dirname, '..', '..', '..')
const page = readFileSync(join(root, 'docs', 'security-inputs.md'), 'utf8')
const rows = page.split('\n').flatMap((line) => /^\| (S\d+) +\| (.*) \|$/.exec(line)?.slice(1) ?? [])

test('every test that the page of hostile inputs names exists', () => {
  const files = [...page.matchAll(/`((?:packages|tooling)\/[^`]+\.ts)`/g)].map(([, file]) => file!)
  expect(files.length).toBeGreaterThan(20)
  expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([])
})

test.each(['S1', 'S2', 'S3', 'S4', 'S5', 'S6', 'S7', 'S18', 'S19', 'S20', 'S21'])('%s has a test', (id) => {
  expect(rows[rows.indexOf(id) + 1]).toContain('.ts`')
})
