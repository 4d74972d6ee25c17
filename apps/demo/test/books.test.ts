import { type Books, checkBooks, type RunFacts } from '../src/books.ts'

const books: Books = {
  lines: 100,
  linesOfSource: 100,
  accepted: 90,
  rejected: 7,
  repeated: 3,
  orders: 90,
  paid: 88,
  shipped: 85,
  cancelled: 3,
  deadLettered: 2,
  open: 0,
  uniqueEffects: 261,
  effects: 261,
  outOfTurn: 0,
  waiting: 0,
  parked: 0,
}
const run: RunFacts = { linesCounted: 100, interrupted: false, open: 0 }
const interrupted: RunFacts = { linesCounted: 40, interrupted: true, open: 5 }

test('books that agree are clean', () => {
  expect(checkBooks(books, run)).toEqual([])
})

test('a run that a signal ended may leave lines unread and orders open', () => {
  expect(checkBooks({ ...books, shipped: 80, open: 5, waiting: 4 }, interrupted)).toEqual([])
})

const lies: readonly (readonly [string, Partial<Books>, Partial<RunFacts>, string])[] = [
  ['a line read and not counted', { linesOfSource: 99 }, {}, 'lines read = lines counted'],
  ['a line counted twice', { linesOfSource: 101 }, {}, 'lines read = lines counted'],
  ['a line without a fate', { rejected: 6 }, {}, 'in = accepted + rejected + repeated'],
  ['an accepted line without its order', { orders: 89 }, {}, 'accepted lines = orders'],
  ['an order that was lost', { shipped: 84 }, {}, 'accepted = shipped + cancelled + dead-lettered + open'],
  ['an order with two ends', { deadLettered: 3 }, {}, 'accepted = shipped + cancelled + dead-lettered + open'],
  ['an effect that happened twice', { effects: 262 }, {}, 'effects done = effects counted without a guard'],
  ['a shipment that was not paid', { outOfTurn: 1 }, {}, 'effects out of turn = 0'],
  ['a message that a transport refused', { parked: 1 }, {}, 'messages put aside = 0'],
  ['a message that nobody published', { waiting: 1 }, {}, 'messages waiting = 0'],
  ['an order that nobody finished', { shipped: 84, open: 1 }, { open: 1 }, 'open orders = 0'],
  ['an order that this run forgot', { shipped: 84, open: 1 }, {}, 'open orders = those this run waits for'],
]
test.each(lies)('%s is found', (_what, changedBooks, changedRun, rule) => {
  const faults = checkBooks({ ...books, ...changedBooks }, { ...run, ...changedRun })
  expect(faults.map((fault) => fault.split(': ')[0])).toContain(rule)
})

test('a run that a signal ended cannot have counted fewer lines than it read', () => {
  const faults = checkBooks(books, { linesCounted: 101, interrupted: true, open: 0 })
  expect(faults).toEqual(['lines read <= lines counted: 101 and 100'])
})
