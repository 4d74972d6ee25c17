import { readFileSync } from 'node:fs'
import { readArguments } from '../src/arguments.ts'
import { bugs } from '../src/bugs/index.ts'
import { scenarios } from '../src/scenarios/index.ts'
import { lacking } from '../src/scenarios/lacking.ts'

const documented = readFileSync(new URL('../../../docs/faults.md', import.meta.url), 'utf8')

test('every scenario has an id of its own, which the documentation explains', () => {
  const ids = scenarios.map((scenario) => scenario.id)
  expect(new Set(ids).size).toBe(ids.length)
  for (const id of ids) expect(documented).toContain(`| ${id.split('-')[0]} `)
})

test('every fault of the documentation has its scenario, or is listed with what it lacks', () => {
  const known = new Set([...scenarios.map(({ id }) => id.split('-')[0]), ...lacking.map(({ id }) => id)])
  const ids = [...documented.matchAll(/^\| (F\d+) /gm)].map(([, id]) => id!)
  expect(ids).toHaveLength(38)
  expect(ids.filter((id) => !known.has(id))).toEqual([])
  for (const { id, lacks } of lacking) expect(documented).toMatch(new RegExp(`^\\| ${id} .*needs ${lacks}`, 'm'))
})

test('a quick size is at most the long one', () => {
  for (const { quick, long } of scenarios)
    for (const name of ['messages', 'kills', 'cases', 'cycles'])
      expect(quick[name] ?? 0).toBeLessThanOrEqual(long[name] ?? 0)
})

test('at least twelve seeded bugs each name a scenario that must catch them', () => {
  const ids = new Set(scenarios.map((scenario) => scenario.id))
  expect(Object.keys(bugs).length).toBeGreaterThanOrEqual(12)
  for (const bug of Object.values(bugs)) expect(ids).toContain(bug.scenario)
})

test('the command takes ids, a seed and a tier', () => {
  expect(readArguments(['f1', 'F38', '--tier', 'long', '--seed', '7'])).toMatchObject({
    ids: ['F1', 'F38'],
    tier: 'long',
    seed: 7,
    transports: expect.arrayContaining(['memory']),
  })
})

test.each([
  [['F999'], 'no scenario'],
  [['--tier', 'some'], '--tier'],
  [['--seed', 'x'], '--seed'],
  [['--transport', 'pigeon'], '--transport'],
  [['--store', 'paper'], '--store'],
  [['--bug', 'none'], 'no seeded bug'],
])('the command refuses %p', (given, said) => {
  expect(() => readArguments(given)).toThrow(said)
})
