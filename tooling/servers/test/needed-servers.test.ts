import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { neededServers } from '../src/needed-servers.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'evt-needs-'))
  mkdirSync(join(folder, 'test'))
})
afterEach(() => rmSync(folder, { recursive: true }))

function needs(files: Readonly<Record<string, string>>): string[] {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, 'test', name), text)
  return [...neededServers([join(folder, 'test', 'a.test.ts')])].sort()
}

it('a test file needs the servers that it imports by name', () => {
  const text = "import {\n  kafka,\n  natsFloor as oldest,\n  type FreshKafka,\n} from '@evt/servers'\n"
  expect(needs({ 'a.test.ts': text })).toEqual(['kafka', 'natsFloor'])
})

it('a test file needs PostgreSQL for a fresh database', () => {
  expect(needs({ 'a.test.ts': "import { type FreshDatabase, freshDatabase } from '@evt/servers'" })).toEqual([
    'postgres',
  ])
})

it('a test file needs the servers of the files beside it that it imports', () => {
  const files = { 'a.test.ts': "import './b.ts'", 'b.ts': "import './a.test.ts'\nimport { redis } from '@evt/servers'" }
  expect(needs(files)).toEqual(['redis'])
})

it('a test file needs no server for types, nor for names from elsewhere', () => {
  const text =
    "import type { redis } from '@evt/servers'\nimport { mongo } from 'elsewhere'\nimport { nats } from './none.ts'"
  expect(needs({ 'a.test.ts': text })).toEqual([])
})
