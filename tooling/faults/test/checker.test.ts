import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { check } from '../src/checker.ts'
import type { Facts } from '../src/database.ts'
import { type Ledger, openLedger, type Report } from '../src/ledger.ts'
import { takenBy } from '../src/taken.ts'

const consumer = 'faults/work'
let folder: string
let ledger: Ledger

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'evt-faults-'))
  ledger = openLedger(join(folder, 'ledger.ndjson'))
})
afterEach(() => {
  ledger.close()
  rmSync(folder, { recursive: true })
})

/** Committed messages 1, 2, … of one key, each with its effect. */
function facts(count: number, changes: Partial<Facts> = {}): Facts {
  const numbers = Array.from({ length: count }, (_none, index) => index + 1)
  return {
    committed: new Map(numbers.map((number) => [`m${number}`, { key: 'k', number }])),
    effects: new Map([[consumer, new Map(numbers.map((number) => [`m${number}`, 1]))]]),
    letters: new Map(),
    waiting: 0,
    parked: 0,
    ...changes,
  }
}
let clockMs = 0
function tell(report: Report, pid = 1): void {
  clockMs += 1
  ledger.add({ ...report, atMs: clockMs, pid })
}
const start = (number: number, pid?: number) =>
  tell({ kind: 'start', message: `m${number}`, consumer, key: 'k', number, attempt: 1 }, pid)
const end = (number: number, pid?: number) =>
  tell({ kind: 'end', message: `m${number}`, consumer, as: 'returned' }, pid)
const judge = (given: Facts) =>
  check(ledger, given, { consumers: [consumer], atLeastOnce: [], ordered: true }).map(({ what }) => what)

test('a run in which everything happened once and in order has no findings', () => {
  for (const number of [1, 2]) {
    start(number)
    end(number)
  }
  expect(judge(facts(2))).toEqual([])
})

test('a committed message without effect is lost, unless its dead letter is there', () => {
  const effects = new Map([[consumer, new Map([['m1', 1]])]])
  expect(judge(facts(2, { effects }))).toEqual(['lost'])
  expect(judge(facts(2, { effects, letters: new Map([[consumer, new Set(['m2'])]]) }))).toEqual([])
})

test('what was published and not handled when somebody took it from the broker is of unknown fate, what came later is lost', () => {
  const invoke = (message: string, atMs: number) =>
    ledger.add({ kind: 'invoke', message, key: 'k', number: 1, directly: false, atMs, pid: 1 })
  const handled = (message: string, atMs: number) =>
    ledger.add({ kind: 'end', message, consumer, as: 'returned', atMs, pid: 1 })
  for (const [message, atMs] of [
    ['m1', 1],
    ['m2', 50],
    ['m3', 101],
  ] as const)
    invoke(message, atMs)
  handled('m1', 80)
  const taken = takenBy(ledger, [{ fromMs: 90, untilMs: 100 }])
  expect([...taken(consumer)]).toEqual(['m2'])
  const expected = { consumers: [consumer], atLeastOnce: [], ordered: true, taken }
  const findings = check(ledger, facts(3, { effects: new Map() }), expected)
  expect(findings).toEqual([{ what: 'lost', count: 2, examples: ['m1', 'm3'] }])
})

test('an effect committed twice is a double effect', () => {
  expect(judge(facts(1, { effects: new Map([[consumer, new Map([['m1', 2]])]]) }))).toEqual(['double effect'])
})

test('an effect of a message that was never committed is a ghost', () => {
  expect(judge(facts(0, { effects: new Map([[consumer, new Map([['m1', 1]])]]) }))).toEqual(['ghost'])
})

test('what was said to be committed must be there, and what was said to have failed must not', () => {
  tell({ kind: 'ok', message: 'm7', code: '' })
  tell({ kind: 'fail', message: 'm1', code: 'rolled back' })
  expect(judge(facts(1))).toEqual(['said to be committed and not there', 'said to have failed and there all the same'])
})

test('a message that starts for the first time after a later one of its key is out of order', () => {
  for (const number of [2, 1]) {
    start(number)
    end(number)
  }
  expect(judge(facts(2))).toEqual(['out of order'])
})

test('a redelivery behind a later message is not out of order', () => {
  for (const number of [1, 2, 1]) {
    start(number)
    end(number)
  }
  expect(judge(facts(2))).toEqual([])
})

test('two of one key at once in one process are found, in two processes they may happen', () => {
  start(1)
  start(2, 2)
  expect(judge(facts(2))).toEqual([])
  start(2)
  expect(judge(facts(2))).toEqual(['two of one key at once'])
})
