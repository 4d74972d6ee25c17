import { fileURLToPath } from 'node:url'
import { findCrashPoints } from '../src/crash-points.ts'
import { durablePairs, uncoveredCrashPoints } from '../src/durable-pairs.ts'
import { scenarios } from '../src/scenarios/index.ts'

const found = findCrashPoints(fileURLToPath(new URL('../../..', import.meta.url)))

test('the sources have crash points', () => {
  expect(found.map((point) => point.name)).toContain('tx.beforeCommit')
})

test('every crash point is one that a scenario kills a process at, or stands on the list of those that wait', () => {
  const covered = new Set(scenarios.flatMap((scenario) => scenario.crashPoints ?? []))
  const open = found.filter((point) => !covered.has(point.name)).map((point) => point.name)
  expect(open).toEqual(Object.keys(uncoveredCrashPoints))
})

test('every crash point that a scenario names exists', () => {
  const known = new Set(found.map((point) => point.name))
  const named = scenarios.flatMap((scenario) => scenario.crashPoints ?? [])
  expect(named.filter((name) => !known.has(name))).toEqual([])
})

test('every durable pair has its crash point in the file that it names', () => {
  const missing = durablePairs.filter(
    (pair) => !found.some((point) => point.name === pair.crashPoint && point.file === pair.file),
  )
  expect(missing).toEqual([])
})

test('every crash point stands between a pair of the list', () => {
  const listed = new Set(durablePairs.map((pair) => `${pair.crashPoint} ${pair.file}`))
  expect(found.filter((point) => !listed.has(`${point.name} ${point.file}`))).toEqual([])
})
