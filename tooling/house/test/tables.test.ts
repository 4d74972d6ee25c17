import { memoryTransport } from '@evt/core'
import { capabilityTable } from '../src/tables/capability-table.ts'
import { replaceSection } from '../src/tables/generated-section.ts'
import { transportTable } from '../src/tables/transport-table.ts'
import { readPackages } from '../src/workspace.ts'
import { type FixtureTree, fixtureTree } from './fixture-tree.ts'

let tree: FixtureTree
beforeEach(() => {
  tree = fixtureTree()
})
afterEach(() => tree.remove())

test('the capability table says which package there is for every capability and backend, and what there is besides', () => {
  tree.write('packages/saga/core/src/memory-saga-store.ts', '')
  expect(capabilityTable(readPackages(tree.root)).split('\n')).toEqual([
    '| capability | memory      | pg             | redis                  |',
    '| ---------- | ----------- | -------------- | ---------------------- |',
    '| transport  | –           | –              | `@evt/transport-redis` |',
    '| saga       | `@evt/saga` | `@evt/saga-pg` | `@evt/saga-redis`      |',
    '',
    'Besides: `@evt/cli`.',
  ])
})

test('the transport table has a row for every field that a transport declares', () => {
  const lines = transportTable([], { memory: () => memoryTransport() }).split('\n')
  expect(lines.length).toBe(2 + Object.keys(memoryTransport().supports).length)
  expect(lines).toContainEqual(expect.stringMatching(/^\| `groups` +\| yes +\|$/))
})

test('a transport package that the table does not know is named', () => {
  const samples = { memory: () => memoryTransport() }
  expect(() => transportTable(readPackages(tree.root), samples)).toThrow('packages/transport/redis has no line')
})

test('a section without its markers is an error instead of a table that is never written', () => {
  expect(() => replaceSection('# evt', 'capabilities', 'table')).toThrow('"capabilities" has no markers')
})

test('what stands around a generated section stays', () => {
  const text = 'above\n<!-- generated: one -->\nold\n<!-- end: one -->\nbelow'
  const wanted = 'above\n<!-- generated: one -->\n\nnew\n\n<!-- end: one -->\nbelow'
  expect(replaceSection(text, 'one', 'new')).toBe(wanted)
  expect(replaceSection(wanted, 'one', 'new')).toBe(wanted)
})
